//! End-to-end tests: the real program, real clients, real files. All of it is in `tests/`.
