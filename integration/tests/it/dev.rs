//! `devloop dev` on a real cluster: what each kind of change does, what trouble does to it, and what it leaves behind.

mod app;
mod asked;
mod attached;
mod config;
mod leaving;
mod mass;
mod saves;
mod trouble;
