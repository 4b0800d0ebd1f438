//! The settings of RTP that is sent to other programs.

use motet_turn::Cidr;

use super::{cidr, listed};

/// Where tracks may be sent as plain RTP.
#[derive(Debug, Clone, clap::Args)]
pub struct ForwardSettings {
    /// Addresses that tracks may be sent to as plain RTP (127.0.0.1, 10.0.0.0/8); repeatable
    /// [default: none]
    #[arg(
        long = "forward-allow",
        value_name = "CIDR",
        env = "MOTET_FORWARD_ALLOW",
        value_delimiter = ',',
        value_parser = listed(cidr),
        help_heading = "Access"
    )]
    pub allow: Vec<Cidr>,
}
