//! What the tests of the whole house share: a second platform that differs from the first wherever it can.

pub mod lantern;
