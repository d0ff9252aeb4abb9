{# Rows of quotes whose pre-match offers (match, bookmaker and market) were seen between being quoted and kick-off. #}
{% macro offers_seen_before_kickoff(quotes, matches) -%}
    select distinct
        quotes.fixture_key,
        quotes.bookmaker,
        quotes.market
    from {{ quotes }} as quotes
    inner join {{ matches }} as matches on quotes.fixture_key = matches.match_id
    where
        not quotes.is_closing
        and {{ seen_at('quotes') }} between quotes.quoted_at and {{ last_minute('matches.kickoff_at') }}
{%- endmacro %}

{# When we could use a version, whatever its publisher's timetable says: what was replayed came later than its body. #}
{% macro seen_at(quotes) -%}
    greatest({{ quotes }}.observed_at, {{ quotes }}.known_at)
{%- endmacro %}

{# Condition: this version of a pre-match quote counts before kick-off. Once we had seen an offer, what came or was
   corrected after kick-off is of no use. Where we had not, the publisher's timetable says what was public. #}
{% macro is_prematch(quotes, kickoff_at, seen) -%}
    {{ seen_at(quotes) }} <= {{ last_minute(kickoff_at) }}
    or (
        case
            when {{ quotes }}.is_dated_by_timetable then {{ quotes }}.quoted_at else {{ quotes }}.known_at
        end <= {{ last_minute(kickoff_at) }}
        and not exists (
            select from {{ seen }} as seen
            where
                seen.fixture_key = {{ quotes }}.fixture_key
                and seen.bookmaker = {{ quotes }}.bookmaker
                and seen.market = {{ quotes }}.market
        )
    )
{%- endmacro %}
