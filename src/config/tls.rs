//! The settings of TLS and where the node keeps what it must remember.

use std::path::PathBuf;

use clap::ValueEnum;

/// Let's Encrypt.
const DEFAULT_DIRECTORY: &str = "https://acme-v02.api.letsencrypt.org/directory";

/// Whether the TCP port speaks TLS, and where its certificate comes from.
#[derive(Debug, Clone, clap::Args)]
pub struct TlsSettings {
    /// Whether the TCP port speaks TLS, and whose certificate it shows; acme agrees to the terms of
    /// the certificate authority
    #[arg(
        long = "tls",
        value_name = "MODE",
        env = "MOTET_TLS",
        default_value = "off",
        help_heading = "TLS"
    )]
    pub mode: TlsMode,

    /// The certificate and its chain, in PEM, for --tls files; read again when it changes
    #[arg(
        long = "tls-cert",
        value_name = "PATH",
        env = "MOTET_TLS_CERT",
        help_heading = "TLS"
    )]
    pub cert: Option<PathBuf>,

    /// The certificate's private key, in PEM, for --tls files; read again when it changes
    #[arg(
        long = "tls-key",
        value_name = "PATH",
        env = "MOTET_TLS_KEY",
        help_heading = "TLS"
    )]
    pub key: Option<PathBuf>,

    /// A name of this node, for its certificate; repeatable
    #[arg(
        long = "domain",
        value_name = "NAME",
        env = "MOTET_DOMAIN",
        value_delimiter = ',',
        value_parser = super::listed(domain),
        help_heading = "TLS"
    )]
    pub domains: Vec<String>,

    /// The directory of the ACME certificate authority
    #[arg(
        long,
        value_name = "URL",
        env = "MOTET_ACME_DIRECTORY",
        default_value = DEFAULT_DIRECTORY,
        value_parser = https_url,
        help_heading = "TLS"
    )]
    pub acme_directory: String,

    /// Where the certificate authority may write to, such as mailto:admin@example.org
    #[arg(
        long,
        value_name = "mailto:ADDRESS",
        env = "MOTET_ACME_CONTACT",
        value_parser = contact,
        help_heading = "TLS"
    )]
    pub acme_contact: Option<String>,

    /// Root certificates, in PEM, for an ACME certificate authority of one's own
    #[arg(
        long,
        value_name = "PATH",
        env = "MOTET_ACME_ROOTS",
        help_heading = "TLS"
    )]
    pub acme_roots: Option<PathBuf>,

    /// The folder for what outlives a restart: the admin token, recordings, certificates, keys, the
    /// ACME account
    #[arg(
        long,
        alias = "data",
        value_name = "DIR",
        env = "MOTET_DATA_DIR",
        default_value = "motet-data",
        help_heading = "General"
    )]
    pub data_dir: PathBuf,
}

/// Where the certificate comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TlsMode {
    /// No TLS: http, for this machine or behind a proxy
    Off,
    /// Made by the node and kept; browsers warn once
    SelfSigned,
    /// From --tls-cert and --tls-key
    Files,
    /// From an ACME certificate authority for every --domain; the port must be 443 from outside
    Acme,
}

impl TlsSettings {
    /// Whether the settings fit together.
    ///
    /// # Errors
    /// One line that says what is missing.
    pub(super) fn check(&self) -> Result<(), String> {
        let missing = match self.mode {
            TlsMode::Files if self.cert.is_none() => "--tls files needs --tls-cert",
            TlsMode::Files if self.key.is_none() => "--tls files needs --tls-key",
            TlsMode::Acme if self.domains.is_empty() => "--tls acme needs --domain",
            _ => return Ok(()),
        };
        Err(missing.to_owned())
    }
}

fn domain(text: &str) -> Result<String, String> {
    let label = |label: &str| {
        let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        (1..=63).contains(&label.len()) && label.bytes().all(inner) && !label.starts_with('-')
    };
    let is_name = text.len() <= 253 && text.split('.').all(label);
    if !is_name || text.parse::<std::net::IpAddr>().is_ok() {
        return Err("expected a host name in ASCII, such as meet.example.org".to_owned());
    }
    Ok(text.to_ascii_lowercase())
}

pub(super) fn https_url(text: &str) -> Result<String, String> {
    match text.strip_prefix("https://") {
        Some(rest) if !rest.is_empty() && !rest.contains(' ') => Ok(text.to_owned()),
        _ => Err("expected an address that begins with https://".to_owned()),
    }
}

fn contact(text: &str) -> Result<String, String> {
    match text.strip_prefix("mailto:") {
        Some(address) if address.contains('@') => Ok(text.to_owned()),
        _ => Err("expected mailto:ADDRESS".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn a_domain_is_a_host_name() {
        for (text, expected) in [
            ("Meet.Example.org", Some("meet.example.org")),
            ("localhost", Some("localhost")),
            ("xn--caf-dma.example", Some("xn--caf-dma.example")),
            ("", None),
            ("a..b", None),
            ("192.0.2.7", None),
            ("*.example.org", None),
            ("https://example.org", None),
            ("-a.example", None),
        ] {
            assert_eq!(domain(text).ok().as_deref(), expected, "{text}");
        }
    }
}
