-- Clinical facts of one patient. This file is yours to edit; `sentinode check-config` tries it, and
-- `sentinode doctor ehr PATIENT` shows what it says of one patient, fact by fact. More: docs/ehr.md.
--
-- It returns one row of a patient, or several dated ones, in any order: of each fact the newest value counts that was
-- known at the moment of the question. It gets three bound parameters and nothing else, and cannot write:
--   :patient_id  Patient ID (0010,0020) of the images
--   :issuer      Issuer of Patient ID (0010,0021), or the configured one
--   :as_of       the moment of the question, UTC
--
-- Each column is a fact, by the name and in the unit that docs/clinical-facts.md lists; leave out what you do not have.
-- <name>_date is the day on which a fact became known; recorded_date stands in where a fact has none, and must be when
-- the row was really written, never :as_of. <name>_source may say where a fact is from.
--
-- Another schema is mapped with AS and CASE, for instance:
--   SELECT p.mrn                                      AS patient_id,
--          p.assigning_authority                      AS issuer_of_patient_id,
--          p.updated_on                               AS recorded_date,
--          CASE h.behaviour WHEN '/3' THEN 'invasive' WHEN '/2' THEN 'dcis' ELSE 'benign' END AS diagnosis,
--          h.reported_on                              AS diagnosis_date,
--          'core biopsy'                              AS diagnosis_source,
--          CASE h.side WHEN 'left' THEN 'L' WHEN 'right' THEN 'R' WHEN 'both' THEN 'B' END    AS side,
--          u.diameter_cm * 10                         AS size_ultrasound_mm
--   FROM patient p LEFT JOIN histology h ON ... LEFT JOIN ultrasound u ON ...
--   WHERE p.mrn = :patient_id AND p.assigning_authority = :issuer AND p.updated_on <= :as_of
--
-- examples/ maps OMOP CDM 5.4, and a table of one row a fact. The SQL below is plain enough for SQLite, PostgreSQL,
-- SQL Server and Oracle.

SELECT
    patient_id,
    issuer_of_patient_id,
    recorded_date,
    diagnosis, diagnosis_date,
    side, side_date,
    birth_date, birth_date_date,
    sex, sex_date,
    menopausal_status, menopausal_status_date,
    clinical_t, clinical_t_date,
    clinical_n, clinical_n_date,
    clinical_m, clinical_m_date,
    tnm_edition, tnm_edition_date,
    size_mammography_mm, size_mammography_mm_date,
    size_ultrasound_mm, size_ultrasound_mm_date,
    size_mri_mm, size_mri_mm_date,
    size_palpation_mm, size_palpation_mm_date,
    size_pathology_mm, size_pathology_mm_date,
    multifocal, multifocal_date,
    multicentric, multicentric_date,
    quadrant, quadrant_date,
    palpable_tumour, palpable_tumour_date,
    palpable_nodes, palpable_nodes_date,
    histological_type, histological_type_date,
    grade, grade_date,
    er_percent, er_percent_date,
    pr_percent, pr_percent_date,
    er, er_date,
    pr, pr_date,
    her2, her2_date,
    ki67_percent, ki67_percent_date,
    lymphovascular_invasion, lymphovascular_invasion_date,
    subtype, subtype_date,
    aus_cortex_mm, aus_cortex_mm_date,
    aus_hilum, aus_hilum_date,
    aus_suspicious_nodes, aus_suspicious_nodes_date,
    node_biopsy, node_biopsy_date,
    sentinel_removed, sentinel_removed_date,
    sentinel_positive, sentinel_positive_date,
    sentinel_largest_metastasis_mm, sentinel_largest_metastasis_mm_date,
    extranodal_extension, extranodal_extension_date,
    nodes_removed, nodes_removed_date,
    nodes_positive, nodes_positive_date,
    surgery_date, surgery_date_date,
    axillary_surgery_date, axillary_surgery_date_date,
    systemic_therapy_date, systemic_therapy_date_date,
    radiotherapy_date, radiotherapy_date_date,
    previous_breast_cancer_side, previous_breast_cancer_side_date,
    previous_axillary_surgery_side, previous_axillary_surgery_side_date,
    pregnant, pregnant_date,
    lactating, lactating_date,
    implant_side, implant_side_date,
    breast_density, breast_density_date,
    bi_rads, bi_rads_date,
    body_mass_index_kg_m2, body_mass_index_kg_m2_date,
    family_history, family_history_date,
    gene_expression_uri, gene_expression_uri_date
FROM clinical_facts
WHERE patient_id = :patient_id
  AND issuer_of_patient_id = :issuer
  AND recorded_date <= :as_of;
