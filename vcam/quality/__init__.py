"""The quality of a matte as numbers: metrics, clips with a known matte, and the pipeline's own matte scored on them."""
