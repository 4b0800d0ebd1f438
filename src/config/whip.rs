//! The settings of WHIP and WHEP: who may publish and view over HTTP.

use super::Secret;

/// Who may publish and view over HTTP.
#[derive(Debug, Clone, clap::Args)]
pub struct WhipSettings {
    /// The secret (at least 16 characters) that publishers must show at /whip/ROOM as
    /// `Authorization: Bearer <secret>` [default: none asked, open as rooms are]
    #[arg(
        long,
        value_name = "SECRET",
        env = "MOTET_WHIP_TOKEN",
        hide_env_values = true,
        value_parser = Secret::new,
        help_heading = "Access"
    )]
    pub whip_token: Option<Secret>,

    /// The secret (at least 16 characters) that viewers must show at /whep/ROOM as
    /// `Authorization: Bearer <secret>` [default: none asked, open as rooms are]
    #[arg(
        long,
        value_name = "SECRET",
        env = "MOTET_WHEP_TOKEN",
        hide_env_values = true,
        value_parser = Secret::new,
        help_heading = "Access"
    )]
    pub whep_token: Option<Secret>,
}
