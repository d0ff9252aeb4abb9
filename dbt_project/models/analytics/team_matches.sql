-- one row per team and played match: the match as that team saw it
with matches as not materialized (
    select * from {{ ref('matches') }}
    where is_played
)

{% for side, other in [('home', 'away'), ('away', 'home')] %}
    select
        {{ side }}_team_id as team_id,
        {{ side }}_team as team,
        match_id,
        competition,
        competition_name,
        season,
        stage,
        kickoff_at,
        {{ 'true' if side == 'home' else 'false' }} as is_home,
        {{ other }}_team_id as opponent_id,
        {{ other }}_team as opponent,
        {{ side }}_goals as goals_for,
        {{ other }}_goals as goals_against,
        case outcome when '{{ side }}' then 'win' when 'draw' then 'draw' else 'loss' end as result,
        case outcome when '{{ side }}' then 3 when 'draw' then 1 else 0 end as points,
        {{ side }}_shots as shots_for,
        {{ other }}_shots as shots_against,
        {{ side }}_shots_on_target as shots_on_target_for,
        {{ other }}_shots_on_target as shots_on_target_against,
        {{ side }}_corners as corners_for,
        {{ other }}_corners as corners_against,
        {{ side }}_yellow_cards as yellow_cards,
        {{ side }}_red_cards as red_cards,
        p_market_{{ side }} as p_market_win,
        p_market_closing_{{ side }} as p_market_closing_win,
        result_known_at,
        is_simulated
    from matches
    {{ 'union all' if not loop.last }}
{% endfor %}
