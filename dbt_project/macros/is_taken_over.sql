{# Condition: at an instant, another match of the same pairing had taken over an announcement. The source has no stable
   match id: a match played on another day than first announced has another key. The announcement is superseded once its
   day has passed without a result and the pairing was seen again later. #}
{% macro is_taken_over(announced, seen_later, instant) -%}
    (
        not {{ announced }}.is_played
        and {{ announced }}.match_id <> {{ seen_later }}.match_id
        and {{ announced }}.fixture_payload_id < {{ seen_later }}.fixture_payload_id
        and (
            {{ announced }}.kickoff_on < {{ seen_later }}.kickoff_on and {{ announced }}.kickoff_at < {{ instant }}
            -- Nobody plays the same side twice in two days: another source's key has taken the match over.
            or abs({{ announced }}.kickoff_on - {{ seen_later }}.kickoff_on) <= 1
        )
    )
{%- endmacro %}
