//! A certificate from an ACME certificate authority (RFC 8555), which checks the names inside TLS on
//! the same port (RFC 8737). It is kept on disk and renewed when two thirds of its life are over.

use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

use instant_acme::{
    Account, AuthorizationStatus, ChallengeType, Identifier, NewAccount, NewOrder, Order,
    OrderStatus, RetryPolicy,
};
use rcgen::{CertificateParams, CustomExtension, DistinguishedName, KeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::sign::CertifiedKey;

use super::TlsError;
use super::acme_client::AcmeClient;
use super::certificate::{self, Facts, Pem};
use super::provider;
use super::resolver::Resolver;
use super::self_signed;
use super::store::Store;
use crate::config::TlsSettings;

/// After a failure; doubled after each further one.
const RETRY_MIN: Duration = Duration::from_secs(60);
/// Authorities count failures by the hour.
const RETRY_MAX: Duration = Duration::from_secs(6 * 3600);
/// How often the date is looked at: computers sleep, and timers with them.
const LOOK: Duration = Duration::from_secs(3600);
/// How long the authority may take to check the names, and again to sign.
const PATIENCE: Duration = Duration::from_secs(120);

/// What went wrong, in words.
type Why = String;

/// Shows the kept certificate, or a self-signed one until the authority has given a better one, and
/// keeps it fresh for as long as the resolver is in use.
///
/// # Errors
/// If the folder or the roots cannot be used. An authority that does not answer is asked again later.
pub fn start(settings: &TlsSettings) -> Result<Arc<Resolver>, TlsError> {
    let keeper = Keeper {
        store: Store::open(&settings.data_dir, "acme")?,
        settings: settings.clone(),
    };
    // Read once here, so that a wrong file is told at the start.
    AcmeClient::new(settings.acme_roots.as_deref())?;
    let resolver = match keeper.kept() {
        Some((key, _)) => Resolver::new(key),
        None => Resolver::new(self_signed::stopgap(settings)?),
    };
    tokio::spawn(keep(keeper, Arc::downgrade(&resolver)));
    Ok(resolver)
}

async fn keep(keeper: Keeper, resolver: Weak<Resolver>) {
    let mut failures = 0;
    loop {
        let Some(resolver) = resolver.upgrade() else {
            return;
        };
        let wait = if keeper.is_due(SystemTime::now()) {
            match keeper.renew(&resolver).await {
                Ok(()) => {
                    failures = 0;
                    LOOK
                }
                Err(why) => {
                    let wait = pause(failures);
                    failures += 1;
                    tracing::error!(
                        why,
                        again_in_seconds = wait.as_secs(),
                        "no new certificate from the certificate authority"
                    );
                    wait
                }
            }
        } else {
            LOOK
        };
        drop(resolver);
        tokio::time::sleep(wait).await;
    }
}

fn pause(failures: u32) -> Duration {
    RETRY_MIN
        .saturating_mul(2_u32.saturating_pow(failures))
        .min(RETRY_MAX)
}

/// Gets certificates and keeps them.
#[derive(Debug)]
struct Keeper {
    settings: TlsSettings,
    store: Store,
}

impl Keeper {
    /// The kept certificate, if it is of this authority, for these names, and still holds.
    fn kept(&self) -> Option<(CertifiedKey, Facts)> {
        if !self.is_same_authority() {
            return None;
        }
        let key = self.store.pem()?.certified_key().ok()?;
        let facts = certificate::facts(&key)?;
        let has_all = self
            .settings
            .domains
            .iter()
            .all(|name| facts.names.contains(name));
        (has_all && facts.not_after > SystemTime::now()).then_some((key, facts))
    }

    fn is_same_authority(&self) -> bool {
        let kept = self.store.read("directory");
        kept.is_some_and(|kept| kept == self.settings.acme_directory.as_bytes())
    }

    fn is_due(&self, now: SystemTime) -> bool {
        self.kept().is_none_or(|(_, facts)| now >= renewal(&facts))
    }

    async fn renew(&self, resolver: &Resolver) -> Result<(), Why> {
        tracing::info!(
            directory = self.settings.acme_directory,
            domains = ?self.settings.domains,
            "asking for a certificate"
        );
        let account = self.account().await?;
        let pem = self.order(&account, resolver).await;
        resolver.end_challenges();
        let pem = pem?;
        let key = pem.certified_key()?;
        self.store.keep(&pem).map_err(|error| error.to_string())?;
        resolver.replace(key);
        tracing::info!("a new certificate is in use");
        Ok(())
    }

    /// The kept account at this authority, or a new one.
    async fn account(&self) -> Result<Account, Why> {
        let roots = self.settings.acme_roots.as_deref();
        let client = AcmeClient::new(roots).map_err(|error| error.to_string())?;
        let builder = Account::builder_with_http(Box::new(client));
        let kept = self
            .store
            .read("account.json")
            .filter(|_| self.is_same_authority());
        if let Some(kept) = kept.and_then(|kept| serde_json::from_slice(&kept).ok()) {
            return builder.from_credentials(kept).await.map_err(words);
        }
        let contact: Vec<&str> = self.settings.acme_contact.as_deref().into_iter().collect();
        let wanted = NewAccount {
            contact: &contact,
            terms_of_service_agreed: true,
            only_return_existing: false,
        };
        let directory = self.settings.acme_directory.clone();
        let created = builder.create(&wanted, directory, None).await;
        let (account, credentials) = created.map_err(words)?;
        let text = serde_json::to_vec(&credentials).map_err(|error| error.to_string())?;
        let kept = self.store.write("account.json", &text).and_then(|()| {
            let directory = self.settings.acme_directory.as_bytes();
            self.store.write("directory", directory)
        });
        kept.map_err(|error| error.to_string())?;
        Ok(account)
    }

    async fn order(&self, account: &Account, resolver: &Resolver) -> Result<Pem, Why> {
        let domains = &self.settings.domains;
        let names: Vec<Identifier> = domains.iter().cloned().map(Identifier::Dns).collect();
        let mut order = account
            .new_order(&NewOrder::new(&names))
            .await
            .map_err(words)?;
        answer_challenges(&mut order, resolver).await?;
        let patience = RetryPolicy::new().timeout(PATIENCE);
        let status = order.poll_ready(&patience).await.map_err(words)?;
        if status != OrderStatus::Ready {
            return Err(refusal(&mut order).await);
        }
        let (key, request) = signing_request(domains).map_err(|error| error.to_string())?;
        order.finalize_csr(&request).await.map_err(words)?;
        let chain = order.poll_certificate(&patience).await.map_err(words)?;
        Ok(Pem {
            chain: chain.into_bytes(),
            key: key.serialize_pem().into_bytes(),
        })
    }
}

/// Two thirds of a certificate's life, however long that is.
fn renewal(facts: &Facts) -> SystemTime {
    let life = facts.not_after.duration_since(facts.not_before);
    facts.not_before + life.unwrap_or_default() * 2 / 3
}

async fn answer_challenges(order: &mut Order, resolver: &Resolver) -> Result<(), Why> {
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization.map_err(words)?;
        if authorization.status == AuthorizationStatus::Valid {
            continue;
        }
        let name = authorization.identifier().to_string();
        let mut challenge = authorization
            .challenge(ChallengeType::TlsAlpn01)
            .ok_or("the certificate authority does not check names by tls-alpn-01")?;
        let digest = challenge.key_authorization().digest();
        resolver.challenge(&name, proof(&name, digest.as_ref())?);
        challenge.set_ready().await.map_err(words)?;
    }
    Ok(())
}

/// The certificate that proves a name (RFC 8737 §3): for that name alone, with the digest of the
/// key authorization (SHA-256, 32 bytes).
fn proof(name: &str, digest: &[u8]) -> Result<CertifiedKey, Why> {
    let made = || {
        let mut params = CertificateParams::new(vec![name.to_owned()])?;
        params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
        let key = KeyPair::generate()?;
        Ok((params.self_signed(&key)?, key))
    };
    let (certificate, key) = made().map_err(|error: rcgen::Error| error.to_string())?;
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    let key = provider().key_provider.load_private_key(key.into());
    let key = key.map_err(|error| error.to_string())?;
    // Not compared with the key: the comparison refuses the critical extension that is the proof.
    Ok(CertifiedKey::new(vec![certificate.der().clone()], key))
}

fn signing_request(domains: &[String]) -> Result<(KeyPair, Vec<u8>), rcgen::Error> {
    let mut params = CertificateParams::new(domains.to_vec())?;
    params.distinguished_name = DistinguishedName::new();
    let key = KeyPair::generate()?;
    let request = params.serialize_request(&key)?;
    Ok((key, request.der().to_vec()))
}

/// What the authority says of the names it could not check.
async fn refusal(order: &mut Order) -> Why {
    let mut why = "the names could not be checked; port 443 of each must lead here".to_owned();
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        let Ok(state) = authorization.refresh().await else {
            continue;
        };
        for problem in state.challenges.iter().filter_map(|one| one.error.as_ref()) {
            why.push_str("; ");
            why.push_str(&problem.to_string());
        }
    }
    why
}

fn words(error: instant_acme::Error) -> Why {
    error.to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn renewal_comes_at_two_thirds_of_a_life() {
        let day = Duration::from_secs(86_400);
        let begin = SystemTime::UNIX_EPOCH + 20_000 * day;
        for (life, expected) in [(90, 60), (6, 4), (45, 30)] {
            let facts = Facts {
                names: Vec::new(),
                not_before: begin,
                not_after: begin + life * day,
            };
            assert_eq!(renewal(&facts), begin + expected * day);
        }
    }

    #[test]
    fn a_proof_is_for_one_name_and_carries_the_digest() {
        let key = proof("meet.example.org", &[7; 32]).unwrap();
        assert_eq!(
            certificate::facts(&key).unwrap().names,
            ["meet.example.org"]
        );
        // id-pe-acmeIdentifier, critical, an octet string in an octet string.
        let extension = [
            &[6, 8, 43, 6, 1, 5, 5, 7, 1, 31, 1, 1, 255, 4, 34, 4, 32][..],
            &[7; 32],
        ];
        let extension = extension.concat();
        let der = &key.cert[0];
        assert!(der.windows(extension.len()).any(|part| part == extension));
    }

    #[test]
    fn failures_make_it_ask_less_often() {
        for (failures, seconds) in [
            (0, 60),
            (1, 120),
            (5, 1920),
            (9, 21_600),
            (u32::MAX, 21_600),
        ] {
            assert_eq!(pause(failures).as_secs(), seconds, "{failures}");
        }
    }
}
