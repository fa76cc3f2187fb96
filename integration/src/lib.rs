//! Tests of the devloop binary against real parts.
