"""SCIM 2.0 (RFC 7643, RFC 7644): users and groups as identity providers make, change and take them away."""
