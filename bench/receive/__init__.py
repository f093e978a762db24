"""How quickly the agent's receiver takes objects, beside storescp and Orthanc in one run."""
