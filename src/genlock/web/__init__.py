"""Who asks over HTTP: the JSON API and the pages, both through the same doors."""
