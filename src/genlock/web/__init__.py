"""The HTTP interface: the JSON API, and the services that its routes share."""
