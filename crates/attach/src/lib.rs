//! Release to live connections: logs.
