//! Whether browsers will believe the certificate, and whether one can be had.

use std::net::IpAddr;

use super::Finding;

const CHECK: &str = "tls";
/// A certificate that ends sooner should have been renewed.
const LEFT_DAYS_MIN: i64 = 7;

/// What a certificate says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Host names and addresses it is for.
    pub names: Vec<String>,
    /// Days from now until it holds; negative once it does.
    pub begins_in_days: i64,
    /// Days from now until it ends; negative after that.
    pub ends_in_days: i64,
    /// Certificates in the file.
    pub chain: usize,
    /// It vouches for itself.
    pub is_self_signed: bool,
}

/// Who answers at port 443 of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reached {
    /// This machine.
    Here,
    /// Somebody else.
    Elsewhere,
    /// Nobody: why.
    Nobody(String),
}

/// One `--domain` of a node that asks a certificate authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// As in the settings.
    pub name: String,
    /// Where it leads, or why nowhere.
    pub addresses: Result<Vec<IpAddr>, String>,
    /// Who answers there.
    pub reached: Reached,
}

/// TLS by its mode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsFacts {
    /// None.
    Off {
        /// Other machines can open the page, and no proxy is known that adds TLS.
        is_open: bool,
    },
    /// A certificate of the node's own.
    SelfSigned,
    /// From files.
    Files {
        /// Where the certificate is.
        path: String,
        /// What it says, or what is wrong with it or its key.
        certificate: Result<Certificate, String>,
        /// What it has to be for.
        domains: Vec<String>,
    },
    /// From a certificate authority.
    Acme {
        /// Its directory.
        directory: String,
        /// Whether that answers, or why not.
        answer: Result<(), String>,
        /// Every domain.
        names: Vec<Name>,
    },
}

/// What browsers, or the certificate authority, will make of it.
pub fn judge(facts: &TlsFacts) -> Vec<Finding> {
    match facts {
        TlsFacts::Off { is_open: false } => {
            vec![Finding::ok(
                CHECK,
                "TLS is off, for this machine or a proxy in front.",
            )]
        }
        TlsFacts::Off { is_open: true } => {
            let text = "TLS is off: browsers of other machines open no camera, and chat and \
                        signaling travel readable.";
            vec![Finding::warning(CHECK, text).mend("motet --tls self-signed")]
        }
        TlsFacts::SelfSigned => {
            let text = "The node makes its own certificate: each browser warns once.";
            vec![Finding::ok(CHECK, text)]
        }
        TlsFacts::Files {
            path,
            certificate,
            domains,
        } => match certificate {
            Ok(certificate) => judge_certificate(path, certificate, domains),
            Err(why) => vec![Finding::problem(CHECK, format!("{path}: {why}."))],
        },
        TlsFacts::Acme {
            directory,
            answer,
            names,
        } => judge_acme(directory, answer, names),
    }
}

fn judge_certificate(path: &str, certificate: &Certificate, domains: &[String]) -> Vec<Finding> {
    let show = format!("openssl x509 -noout -subject -dates -ext subjectAltName -in {path}");
    let mut findings: Vec<Finding> = judge_dates(path, certificate).into_iter().collect();
    let missing: Vec<&String> = domains
        .iter()
        .filter(|domain| !certificate.names.iter().any(|name| covers(name, domain)))
        .collect();
    if !missing.is_empty() {
        let missing: Vec<&str> = missing.into_iter().map(String::as_str).collect();
        let text = format!(
            "{path} is not for {}, but for {}: browsers will not believe it there.",
            missing.join(", "),
            certificate.names.join(", ")
        );
        findings.push(Finding::problem(CHECK, text));
    }
    if certificate.chain == 1 && !certificate.is_self_signed {
        let text = format!(
            "{path} has no certificate of its authority behind its own: some browsers and most \
             other clients will not believe it. Use the full chain (fullchain.pem)."
        );
        findings.push(Finding::warning(CHECK, text));
    }
    if findings.is_empty() {
        let text = format!(
            "{path} is for {} and holds for {} more days.",
            certificate.names.join(", "),
            certificate.ends_in_days
        );
        return vec![Finding::ok(CHECK, text)];
    }
    findings
        .into_iter()
        .map(|finding| finding.mend(show.clone()))
        .collect()
}

fn judge_dates(path: &str, certificate: &Certificate) -> Option<Finding> {
    let (begins, ends) = (certificate.begins_in_days, certificate.ends_in_days);
    Some(if ends < 0 {
        let text = format!("{path} ended {} ago: browsers refuse it.", days(-ends));
        Finding::problem(CHECK, text)
    } else if begins > 0 {
        let text = format!("{path} holds in {} only: browsers refuse it.", days(begins));
        Finding::problem(CHECK, text)
    } else if ends < LEFT_DAYS_MIN {
        let text = format!("{path} ends in {}: renew it.", days(ends));
        Finding::warning(CHECK, text)
    } else {
        return None;
    })
}

fn days(count: i64) -> String {
    match count {
        1 => "1 day".to_owned(),
        count => format!("{count} days"),
    }
}

/// A wildcard stands for the whole leftmost label (RFC 9525 §6.3).
fn covers(name: &str, domain: &str) -> bool {
    let below = |name: &str| {
        let parent = name.strip_prefix("*.")?;
        let (_, rest) = domain.split_once('.')?;
        Some(rest.eq_ignore_ascii_case(parent))
    };
    name.eq_ignore_ascii_case(domain) || below(name).unwrap_or(false)
}

fn judge_acme(directory: &str, answer: &Result<(), String>, names: &[Name]) -> Vec<Finding> {
    let mut findings = vec![match answer {
        Ok(()) => Finding::ok(
            CHECK,
            format!("The certificate authority at {directory} answers."),
        ),
        Err(why) => {
            let text = format!(
                "The certificate authority does not answer: {why}. Until it does, browsers get a \
                 certificate that they warn of."
            );
            Finding::problem(CHECK, text).mend(format!("curl -I {directory}"))
        }
    }];
    findings.extend(names.iter().map(judge_name));
    findings
}

fn judge_name(facts: &Name) -> Finding {
    let name = &facts.name;
    let addresses = match &facts.addresses {
        Ok(addresses) => addresses
            .iter()
            .map(IpAddr::to_string)
            .collect::<Vec<_>>()
            .join(", "),
        Err(why) => {
            let text = format!("{name} leads nowhere ({why}): give it an address in DNS.");
            return Finding::problem(CHECK, text).mend(format!("getent ahosts {name}"));
        }
    };
    match &facts.reached {
        Reached::Here => Finding::ok(CHECK, format!("{name} leads here, by {addresses}.")),
        Reached::Elsewhere => {
            let text = format!(
                "Port 443 of {name} ({addresses}) is answered by something other than this node: \
                 the certificate authority asks there."
            );
            Finding::problem(CHECK, text).mend(format!("getent ahosts {name}"))
        }
        Reached::Nobody(why) => {
            let text = format!(
                "Port 443 of {name} ({addresses}) cannot be reached from here ({why}): the \
                 certificate authority has to reach it, so open it or pass it on to the node."
            );
            Finding::warning(CHECK, text).mend("sudo ufw allow 443/tcp")
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::doctor::tests::lines;

    fn certificate() -> Certificate {
        Certificate {
            names: vec!["a.example".to_owned(), "*.b.example".to_owned()],
            begins_in_days: -10,
            ends_in_days: 50,
            chain: 2,
            is_self_signed: false,
        }
    }

    fn of_files(certificate: Certificate, domains: &[&str]) -> Vec<String> {
        let found = judge(&TlsFacts::Files {
            path: "c.pem".to_owned(),
            certificate: Ok(certificate),
            domains: domains.iter().map(ToString::to_string).collect(),
        });
        lines(&found)
            .iter()
            .map(|line| line.split(" | ").next().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn without_tls_only_this_machine_and_proxies_are_served_well() {
        let off = |is_open| lines(&judge(&TlsFacts::Off { is_open }))[0].clone();
        assert!(off(false).starts_with("ok: "));
        assert!(off(true).starts_with("warning: TLS is off: "));
        assert!(lines(&judge(&TlsFacts::SelfSigned))[0].starts_with("ok: "));
    }

    #[test]
    fn the_dates_of_a_certificate_count() {
        for (begins, ends, expected) in [
            (
                -10,
                50,
                "ok: c.pem is for a.example, *.b.example and holds for 50 more days.",
            ),
            (
                -10,
                7,
                "ok: c.pem is for a.example, *.b.example and holds for 7 more days.",
            ),
            (-10, 6, "warning: c.pem ends in 6 days: renew it."),
            (-10, 1, "warning: c.pem ends in 1 day: renew it."),
            (
                -10,
                -3,
                "problem: c.pem ended 3 days ago: browsers refuse it.",
            ),
            (
                2,
                50,
                "problem: c.pem holds in 2 days only: browsers refuse it.",
            ),
        ] {
            let certificate = Certificate {
                begins_in_days: begins,
                ends_in_days: ends,
                ..certificate()
            };
            assert_eq!(of_files(certificate, &[]), [expected]);
        }
    }

    #[test]
    fn the_names_of_a_certificate_count() {
        for (domain, is_covered) in [
            ("a.example", true),
            ("A.example", true),
            ("x.b.example", true),
            ("b.example", false),
            ("x.y.b.example", false),
            ("c.example", false),
        ] {
            let found = of_files(certificate(), &[domain]);
            assert_eq!(found[0].starts_with("ok"), is_covered, "{found:?}");
        }
        assert_eq!(
            of_files(certificate(), &["a.example", "c.example"]),
            [
                "problem: c.pem is not for c.example, but for a.example, *.b.example: browsers will \
              not believe it there."
            ]
        );
    }

    #[test]
    fn the_chain_has_to_be_there_unless_it_vouches_for_itself() {
        for (chain, is_self_signed, is_fine) in
            [(2, false, true), (1, true, true), (1, false, false)]
        {
            let certificate = Certificate {
                chain,
                is_self_signed,
                ..certificate()
            };
            let found = of_files(certificate, &[]);
            assert_eq!(found[0].starts_with("ok"), is_fine, "{found:?}");
            assert_eq!(found[0].contains("fullchain.pem"), !is_fine);
        }
    }

    #[test]
    fn what_is_no_certificate_is_a_problem() {
        let found = judge(&TlsFacts::Files {
            path: "c.pem".to_owned(),
            certificate: Err("the key is not the certificate's".to_owned()),
            domains: vec![],
        });
        assert_eq!(
            lines(&found),
            ["problem: c.pem: the key is not the certificate's."]
        );
    }

    #[test]
    fn a_certificate_authority_has_to_answer_and_to_find_the_node() {
        let name = |addresses: Result<&str, &str>, reached| Name {
            name: "a.example".to_owned(),
            addresses: addresses
                .map(|ip| vec![ip.parse().unwrap()])
                .map_err(str::to_owned),
            reached,
        };
        let here = Ok("203.0.113.7");
        let nobody = || Reached::Nobody("connection refused".to_owned());
        for (answer, name, expected) in [
            (
                Ok(()),
                name(here, Reached::Here),
                ["ok: The", "ok: a.example leads here"],
            ),
            (
                Err("no route".to_owned()),
                name(here, Reached::Here),
                [
                    "problem: The certificate authority does not answer: no route.",
                    "ok: ",
                ],
            ),
            (
                Ok(()),
                name(Err("no such name"), nobody()),
                ["ok: ", "problem: a.example leads nowhere (no such name)"],
            ),
            (
                Ok(()),
                name(here, Reached::Elsewhere),
                [
                    "ok: ",
                    "problem: Port 443 of a.example (203.0.113.7) is answered by something",
                ],
            ),
            (
                Ok(()),
                name(here, nobody()),
                [
                    "ok: ",
                    "warning: Port 443 of a.example (203.0.113.7) cannot be reached",
                ],
            ),
        ] {
            let facts = TlsFacts::Acme {
                directory: "https://acme.example/directory".to_owned(),
                answer,
                names: vec![name],
            };
            for (found, expected) in lines(&judge(&facts)).iter().zip(expected) {
                assert!(found.starts_with(expected), "{found}");
            }
        }
    }
}
