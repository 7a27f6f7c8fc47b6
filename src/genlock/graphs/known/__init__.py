"""Classes of nodes that are known by name, each with the reason. What a server says of a class comes first."""
