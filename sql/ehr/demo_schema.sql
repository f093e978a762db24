-- A small clinical database for trying Sentinode: one row a patient and day, one column a fact.
--
-- A hospital's own schema will look different; that is what clinical_facts.sql is for. Every fact has its value and
-- the day on which it became known (<name>_date; where that is NULL the row's recorded_date counts).
-- Runs on SQLite and on PostgreSQL.

CREATE TABLE IF NOT EXISTS clinical_facts (
    patient_id TEXT NOT NULL,
    issuer_of_patient_id TEXT NOT NULL,
    recorded_date DATE NOT NULL,
    diagnosis TEXT,
    diagnosis_date DATE,
    side TEXT,
    side_date DATE,
    birth_date DATE,
    birth_date_date DATE,
    sex TEXT,
    sex_date DATE,
    menopausal_status TEXT,
    menopausal_status_date DATE,
    clinical_t TEXT,
    clinical_t_date DATE,
    clinical_n TEXT,
    clinical_n_date DATE,
    clinical_m TEXT,
    clinical_m_date DATE,
    tnm_edition INTEGER,
    tnm_edition_date DATE,
    size_mammography_mm REAL, -- mm
    size_mammography_mm_date DATE,
    size_ultrasound_mm REAL, -- mm
    size_ultrasound_mm_date DATE,
    size_mri_mm REAL, -- mm
    size_mri_mm_date DATE,
    size_palpation_mm REAL, -- mm
    size_palpation_mm_date DATE,
    size_pathology_mm REAL, -- mm
    size_pathology_mm_date DATE,
    multifocal BOOLEAN,
    multifocal_date DATE,
    multicentric BOOLEAN,
    multicentric_date DATE,
    quadrant TEXT,
    quadrant_date DATE,
    palpable_tumour BOOLEAN,
    palpable_tumour_date DATE,
    palpable_nodes BOOLEAN,
    palpable_nodes_date DATE,
    histological_type TEXT,
    histological_type_date DATE,
    grade INTEGER,
    grade_date DATE,
    er_percent REAL, -- %
    er_percent_date DATE,
    pr_percent REAL, -- %
    pr_percent_date DATE,
    er TEXT,
    er_date DATE,
    pr TEXT,
    pr_date DATE,
    her2 TEXT,
    her2_date DATE,
    ki67_percent REAL, -- %
    ki67_percent_date DATE,
    lymphovascular_invasion BOOLEAN,
    lymphovascular_invasion_date DATE,
    subtype TEXT,
    subtype_date DATE,
    aus_cortex_mm REAL, -- mm
    aus_cortex_mm_date DATE,
    aus_hilum TEXT,
    aus_hilum_date DATE,
    aus_suspicious_nodes INTEGER, -- count
    aus_suspicious_nodes_date DATE,
    node_biopsy TEXT,
    node_biopsy_date DATE,
    sentinel_removed INTEGER, -- count
    sentinel_removed_date DATE,
    sentinel_positive INTEGER, -- count
    sentinel_positive_date DATE,
    sentinel_largest_metastasis_mm REAL, -- mm
    sentinel_largest_metastasis_mm_date DATE,
    extranodal_extension BOOLEAN,
    extranodal_extension_date DATE,
    nodes_removed INTEGER, -- count
    nodes_removed_date DATE,
    nodes_positive INTEGER, -- count
    nodes_positive_date DATE,
    surgery_date DATE,
    surgery_date_date DATE,
    axillary_surgery_date DATE,
    axillary_surgery_date_date DATE,
    systemic_therapy_date DATE,
    systemic_therapy_date_date DATE,
    radiotherapy_date DATE,
    radiotherapy_date_date DATE,
    previous_breast_cancer_side TEXT,
    previous_breast_cancer_side_date DATE,
    previous_axillary_surgery_side TEXT,
    previous_axillary_surgery_side_date DATE,
    pregnant BOOLEAN,
    pregnant_date DATE,
    lactating BOOLEAN,
    lactating_date DATE,
    implant_side TEXT,
    implant_side_date DATE,
    breast_density TEXT,
    breast_density_date DATE,
    bi_rads INTEGER,
    bi_rads_date DATE,
    body_mass_index_kg_m2 REAL, -- kg/m2
    body_mass_index_kg_m2_date DATE,
    family_history TEXT,
    family_history_date DATE,
    gene_expression_uri TEXT,
    gene_expression_uri_date DATE,
    PRIMARY KEY (patient_id, issuer_of_patient_id, recorded_date)
);
