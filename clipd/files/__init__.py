"""The filesystem, done right once: whole files, walks, leases, strict documents, free space."""
