"""All together: runs prepared, carried out, judged, compared and reported."""
