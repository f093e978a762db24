-- Clinical facts from an OMOP CDM 5.4 database. An example; copy it, and name the copy in ehr.query.
--
-- It reads person, condition_occurrence, measurement, procedure_occurrence and drug_exposure, and looks their concepts
-- up in concept by vocabulary and code. VERIFY EVERY CODE IN YOUR OWN VOCABULARY AND WITH YOUR OWN DATA: sites differ in
-- the codes that they map to, in what they leave out, and in what a date means. Then look at patients whom you know:
-- sentinode doctor ehr PATIENT.
--
-- What OMOP does not say, and what is assumed here:
--   issuer      OMOP has none: one literal below stands for every patient of this database
--   patient id  person_source_value must be the Patient ID of the images; many sites put a pseudonym there
--   diagnosis   a coded condition, whose names below are histological; nothing says that a biopsy stands behind it
--   side        as a measurement with LOINC 20228-3; sites that keep it elsewhere must say so here, or nobody is asked
--   size        of the imaging no standard code is used; 'US TUMOUR SIZE' stands for your own source value
--   dates       of an event, not of its being entered; a condition that was back-dated looks known too early
-- Each event is a row, with the fact that it says; the others of that row are NULL. Of each fact the newest counts.
-- Of the dates of treatment the earliest counts, whatever else was done.

WITH known AS (
    SELECT
        p.person_id,
        p.person_source_value AS patient_id,
        'HOSPITAL' AS issuer_of_patient_id,  -- yours: Issuer of Patient ID (0010,0021), or site.issuer_of_patient_id
        p.gender_concept_id,
        p.birth_datetime
    FROM person p
),
asked AS (
    SELECT k.person_id, k.patient_id, k.issuer_of_patient_id, k.gender_concept_id, k.birth_datetime
    FROM known k
    WHERE k.patient_id = :patient_id AND k.issuer_of_patient_id = :issuer
),
event AS (
    SELECT
        o.person_id,
        c.vocabulary_id,
        c.concept_code,
        o.condition_start_date AS known_on,
        CAST(NULL AS NUMERIC(12, 4)) AS amount,
        CAST(NULL AS VARCHAR(50)) AS answer,
        0 AS unit,
        CAST(NULL AS VARCHAR(50)) AS written_as,
        'condition_occurrence' AS source
    FROM condition_occurrence o
    JOIN concept c ON c.concept_id = o.condition_concept_id
    UNION ALL
    SELECT
        m.person_id,
        c.vocabulary_id,
        c.concept_code,
        m.measurement_date,
        m.value_as_number,
        LOWER(m.value_source_value),
        m.unit_concept_id,
        m.measurement_source_value,
        'measurement'
    FROM measurement m
    JOIN concept c ON c.concept_id = m.measurement_concept_id
    UNION ALL
    SELECT
        o.person_id,
        c.vocabulary_id,
        c.concept_code,
        o.procedure_date,
        CAST(NULL AS NUMERIC(12, 4)),
        CAST(NULL AS VARCHAR(50)),
        0,
        CAST(NULL AS VARCHAR(50)),
        'procedure_occurrence'
    FROM procedure_occurrence o
    JOIN concept c ON c.concept_id = o.procedure_concept_id
    UNION ALL
    SELECT
        d.person_id,
        i.vocabulary_id,
        i.concept_code,  -- of an ingredient, whatever the product
        d.drug_exposure_start_date,
        CAST(NULL AS NUMERIC(12, 4)),
        CAST(NULL AS VARCHAR(50)),
        0,
        CAST(NULL AS VARCHAR(50)),
        'drug_exposure'
    FROM drug_exposure d
    JOIN concept_ancestor a ON a.descendant_concept_id = d.drug_concept_id
    JOIN concept i ON i.concept_id = a.ancestor_concept_id AND i.concept_class_id = 'Ingredient'
)
SELECT
    a.patient_id,
    a.issuer_of_patient_id,
    e.known_on AS recorded_date,
    a.birth_datetime AS birth_date,
    a.birth_datetime AS birth_date_date,
    CASE a.gender_concept_id WHEN 8532 THEN 'F' WHEN 8507 THEN 'M' END AS sex,  -- 8532 Gender F, 8507 Gender M
    a.birth_datetime AS sex_date,
    CASE
        -- SNOMED 408643008 Infiltrating duct carcinoma of breast, 278054005 Infiltrating lobular carcinoma of breast,
        -- 443451005 Invasive lobular carcinoma of breast. Not 254837009 (concept 4112853) Malignant neoplasm of breast:
        -- it may stand for a suspicion, or for a cancer of years ago.
        WHEN e.vocabulary_id = 'SNOMED' AND e.concept_code IN ('408643008', '278054005', '443451005') THEN 'invasive'
        -- SNOMED 109889007 Ductal carcinoma in situ of breast. Where you code it beside an invasive cancer too, and
        -- later, leave this line out: the newest diagnosis counts.
        WHEN e.vocabulary_id = 'SNOMED' AND e.concept_code = '109889007' THEN 'dcis'
    END AS diagnosis,
    e.source AS diagnosis_source,
    CASE
        WHEN e.vocabulary_id = 'SNOMED' AND e.concept_code = '408643008' THEN 'NST'
        WHEN e.vocabulary_id = 'SNOMED' AND e.concept_code IN ('278054005', '443451005') THEN 'lobular'
    END AS histological_type,
    CASE
        -- LOINC 20228-3 Anatomic part Laterality; answers as text
        WHEN e.vocabulary_id = 'LOINC' AND e.concept_code = '20228-3' AND e.answer = 'left' THEN 'L'
        WHEN e.vocabulary_id = 'LOINC' AND e.concept_code = '20228-3' AND e.answer = 'right' THEN 'R'
        WHEN e.vocabulary_id = 'LOINC' AND e.concept_code = '20228-3' AND e.answer = 'bilateral' THEN 'B'
    END AS side,
    -- LOINC 44648-4 Histologic grade in Breast cancer specimen by Nottingham
    CASE WHEN e.vocabulary_id = 'LOINC' AND e.concept_code = '44648-4' THEN e.amount END AS grade,
    -- LOINC 85329-1, 85325-9: Cells.estrogen, .progesterone receptor/100 cells in Breast cancer specimen
    CASE WHEN e.vocabulary_id = 'LOINC' AND e.concept_code = '85329-1' THEN e.amount END AS er_percent,
    CASE WHEN e.vocabulary_id = 'LOINC' AND e.concept_code = '85325-9' THEN e.amount END AS pr_percent,
    -- LOINC 85330-9 Cells.Ki-67 nuclear Ag/100 cells in Breast cancer specimen
    CASE WHEN e.vocabulary_id = 'LOINC' AND e.concept_code = '85330-9' THEN e.amount END AS ki67_percent,
    -- LOINC 85319-2 HER2 in Breast cancer specimen by Immune stain; "3+" and "2+" are mapped where you have them so
    CASE WHEN e.vocabulary_id = 'LOINC' AND e.concept_code = '85319-2' THEN e.answer END AS her2,
    -- your own source value; units UCUM mm is concept 8588, cm is 8582; any other is no size
    CASE
        WHEN e.written_as = 'US TUMOUR SIZE' AND e.unit = 8588 THEN e.amount
        WHEN e.written_as = 'US TUMOUR SIZE' AND e.unit = 8582 THEN e.amount * 10
    END AS size_ultrasound_mm,
    -- SNOMED 392021009 Lumpectomy of breast, 69031006 Excision of breast tissue, 172043006 Simple mastectomy
    CASE
        WHEN e.vocabulary_id = 'SNOMED' AND e.concept_code IN ('392021009', '69031006', '172043006') THEN e.known_on
    END AS surgery_date,
    -- SNOMED 396487001 Sentinel lymph node biopsy, 443497002 Excision of sentinel, 234262008 of axillary lymph node
    CASE
        WHEN e.vocabulary_id = 'SNOMED' AND e.concept_code IN ('396487001', '443497002', '234262008') THEN e.known_on
    END AS axillary_surgery_date,
    -- SNOMED 33195004 External beam radiation therapy
    CASE WHEN e.vocabulary_id = 'SNOMED' AND e.concept_code = '33195004' THEN e.known_on END AS radiotherapy_date,
    -- SNOMED 367336001 Chemotherapy; RxNorm ingredients 3639 doxorubicin, 3002 cyclophosphamide, 56946 paclitaxel,
    -- 72962 docetaxel, 224905 trastuzumab, 10324 tamoxifen, 72965 letrozole, 84857 anastrozole, 258494 exemestane.
    -- The list is not whole: a therapy that is missing here lets an image taken under it count.
    CASE
        WHEN e.vocabulary_id = 'SNOMED' AND e.concept_code = '367336001' THEN e.known_on
        WHEN
            e.vocabulary_id = 'RxNorm'
            AND e.concept_code IN ('3639', '3002', '56946', '72962', '224905', '10324', '72965', '84857', '258494')
            THEN e.known_on
    END AS systemic_therapy_date
FROM asked a
LEFT JOIN event e ON e.person_id = a.person_id AND e.known_on <= :as_of;
