"""Any subset of clinical facts and mammograms to one risk, by evidence that adds up in logit space."""
