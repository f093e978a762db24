"""Who runs what when."""
