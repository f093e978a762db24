-- Clinical facts from a table of one row a fact: name, value, date. An example; copy it, and name the copy in ehr.query.
--
-- A query whose columns are patient_id, issuer_of_patient_id, name, value, date and source is read as this tall form:
--   name    a fact's name in docs/clinical-facts.md; the CASE below turns the table's own names into these
--   value   as text: "12.5" (no comma, no unit), "true" or "1", "2026-11-01"; the dictionary gives each its type
--   date    the day on which it became known, never :as_of; a row without one is refused
--   source  where it is from, or NULL
-- Several rows of one fact are its history: the newest that was known at the moment of the question counts.
-- "date" stands in double quotes because Oracle keeps the bare word for itself.
--
-- The table it asks:
--   CREATE TABLE tumour_board (
--       mrn VARCHAR(64), authority VARCHAR(64), item VARCHAR(64), content VARCHAR(255), reported_on DATE,
--       document VARCHAR(255))

SELECT
    t.mrn AS patient_id,
    t.authority AS issuer_of_patient_id,
    CASE t.item
        WHEN 'ER %' THEN 'er_percent'
        WHEN 'PR %' THEN 'pr_percent'
        WHEN 'Ki-67' THEN 'ki67_percent'
        WHEN 'Nottingham' THEN 'grade'
        WHEN 'US size' THEN 'size_ultrasound_mm'
        ELSE t.item
    END AS name,
    CASE
        WHEN t.item = 'side' AND t.content = 'left' THEN 'L'
        WHEN t.item = 'side' AND t.content = 'right' THEN 'R'
        ELSE t.content
    END AS value,
    t.reported_on AS "date",
    t.document AS source
FROM tumour_board t
WHERE t.mrn = :patient_id
  AND t.authority = :issuer
  AND t.reported_on <= :as_of;
