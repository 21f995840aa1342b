//! What files do that people bring: whole ones in every carrier, odd ones, broken ones, and those that mean harm.

mod good;
mod law;
mod wrong;
