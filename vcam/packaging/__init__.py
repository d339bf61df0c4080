"""How vcam becomes packages: `make dist`, `make deb`, `make release`. Not part of the wheel."""
