"""Boards and alert rules as code, and Grafana's provisioning. Imports none of the other packages."""
