"""What a night has left to people and to the next one, as the audit asks for it: it is known, so no difference.

The tasks that say so are written by the night before its audit (`keizoku.scheduler.night.set_aside`).
"""

from collections.abc import Mapping
from typing import Final

SET_ASIDE: Final[Mapping[str, str]] = {
    "aside": """
        SELECT subject, detail FROM review_task
        WHERE kind IN ('no_price', 'set_aside', 'terms_unannounced') AND closed_at IS NULL""",
    "contracts_aside": """
        SELECT CAST(detail ->> 'contract' AS bigint) AS id FROM aside
        WHERE detail ->> 'step' = 'terms' AND detail ->> 'contract' IS NOT NULL
        UNION SELECT id FROM contract WHERE ended_on IS NULL AND renews_on <= :business_date
        AND EXISTS (SELECT 1 FROM aside WHERE subject = 'terms: stage terms')
        -- of terms that were not announced: whoever agreed to others
        UNION SELECT contract.id FROM contract
        JOIN term ON term.contract_id = contract.id AND term.ends_on = contract.renews_on
        JOIN aside ON subject = concat('version ', detail ->> 'version') AND detail ->> 'version' <> terms_version
        WHERE ended_on IS NULL AND renews_on <= :business_date""",
    # nothing was opened for them: no fee is owed yet, though their days are recognised
    "terms_aside": """
        SELECT id, method, price_yen FROM term WHERE (
            id = ANY(ARRAY(SELECT CAST(detail ->> 'term' AS bigint) FROM aside
                           WHERE detail ->> 'step' = 'invoices' AND detail ->> 'term' IS NOT NULL))
            OR id > :term AND EXISTS (SELECT 1 FROM aside WHERE subject = 'invoices: stage invoices')
        ) AND method <> 'coupon'
        AND NOT EXISTS (
            SELECT 1 FROM invoice WHERE invoice.contract_id = term.contract_id AND invoice.term_id = term.id)
        AND NOT EXISTS (SELECT 1 FROM entry WHERE event_key = concat('term:', term.id))""",
    # and the later revisions of the same account and month, which count on from them
    "awards_aside": """
        SELECT award.id FROM award JOIN award AS held USING (account, month)
        WHERE held.id = ANY(ARRAY(SELECT CAST(detail ->> 'award' AS bigint) FROM aside
                                  WHERE detail ->> 'award' IS NOT NULL))
        UNION SELECT id FROM award WHERE EXISTS (SELECT 1 FROM aside WHERE subject = 'credits: stage credits')""",
    # their fees
    "fees_aside": """
        SELECT coalesce(sum(price_yen), 0) AS yen,
               coalesce(sum(price_yen) FILTER (WHERE method = 'app_store'), 0) AS store_yen,
               coalesce(sum(price_yen) FILTER (WHERE method = 'product_key'), 0) AS key_yen
        FROM terms_aside""",
}
"""Queries by name, each of which may read those before it."""
