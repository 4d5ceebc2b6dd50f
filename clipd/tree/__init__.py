"""The on-disk contract: where everything lies, what a sidecar says, what clipd remembers of a job."""
