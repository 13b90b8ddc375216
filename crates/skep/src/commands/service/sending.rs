//! What `create` and `update` have in common: images, secrets, configs and networks become what the daemon takes, and
//! the spec is sent.

use anyhow::{Context, Result};
use api::image::DistributionInspect;
use api::network::Network;
use api::service::ServiceSpec;
use api::spec::reference::{ConfigReference, SecretReference};
use api::spec::resources::Platform;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::options::reference::Reference;
use crate::session::Session;

/// Sends a spec, with credentials for the image's registry if they shall go along.
pub(crate) async fn send<T: DeserializeOwned>(
    session: &Session,
    path: &str,
    spec: &impl Serialize,
    auth: Option<&str>,
) -> Result<T> {
    let auth = auth.map(crate::credentials::header).transpose()?.unwrap_or_default();
    let request = session.client.request(Method::POST, path).await?.header("x-registry-auth", auth);
    let request = request.body(Full::new(Bytes::from(serde_json::to_vec(spec)?)))?;
    let body = session.client.exchange(request).await?.into_body().collect().await?.to_bytes();
    Ok(api::read(&body)?)
}

/// Writes the image into the spec: with the digest that its tag means now and the platforms that it is for, as far
/// as its registry says.
pub(crate) async fn set_image(
    session: &Session,
    spec: &mut ServiceSpec,
    image: &str,
    as_it_is: bool,
) -> Result<()> {
    let container = spec.task_template.container_spec.get_or_insert_default();
    image.clone_into(&mut container.image);
    if as_it_is || image.contains('@') {
        return Ok(());
    }
    let request = session.client.request(Method::GET, &format!("/distribution/{image}/json")).await?;
    let request = request.header("x-registry-auth", crate::credentials::header(image)?);
    let Ok(answer) = session.client.exchange(request.body(Full::<Bytes>::default())?).await else {
        eprintln!(
            "image {image} could not be accessed on a registry to record\nits digest. Each node will access \
             {image} independently,\npossibly leading to different nodes running different\nversions of the image.\n"
        );
        return Ok(());
    };
    let found: DistributionInspect = api::read(&answer.into_body().collect().await?.to_bytes())?;
    let reference =
        model::image::ImageRef::parse(image).map_err(|refusal| anyhow::anyhow!(refusal.message))?;
    container.image = format!("{}@{}", reference.familiar(), found.descriptor.digest);
    let platforms =
        found.platforms.into_iter().map(|one| Platform { architecture: one.architecture, os: one.os });
    let platforms: Vec<Platform> = platforms.collect();
    if !platforms.is_empty() {
        spec.task_template.placement.get_or_insert_default().platforms = platforms;
    }
    Ok(())
}

/// Networks by id: a service that names one by name would lose it when the name goes to another.
pub(crate) async fn find_networks(session: &Session, spec: &mut ServiceSpec) -> Result<()> {
    for network in &mut spec.task_template.networks {
        let found: Network = session.client.get(&format!("/networks/{}?scope=swarm", network.target)).await?;
        network.target = found.id;
    }
    // Services that are told the same thing in the same order are not renewed.
    spec.task_template.networks.sort_by(|one, other| one.target.cmp(&other.target));
    Ok(())
}

/// Secrets and configs that are still names.
#[derive(Debug, Default)]
pub(crate) struct Named {
    pub(crate) secrets: Vec<Reference>,
    pub(crate) configs: Vec<Reference>,
}

impl Named {
    /// Writes them into the spec with the ids that they have now; one that is there already is replaced.
    pub(crate) async fn find(self, session: &Session, spec: &mut ServiceSpec) -> Result<()> {
        let container = spec.task_template.container_spec.get_or_insert_default();
        if !self.secrets.is_empty() {
            let all: Vec<api::secret::Secret> = session.client.get("/secrets").await?;
            for Reference { source, file } in self.secrets {
                let found = all.iter().find(|secret| secret.spec.name == source);
                let secret_id = found.with_context(|| format!("secret not found: {source}"))?.id.clone();
                container.secrets.retain(|old| old.file.as_ref().is_none_or(|old| old.name != file.name));
                container.secrets.push(SecretReference { file: Some(file), secret_id, secret_name: source });
            }
        }
        if !self.configs.is_empty() {
            let all: Vec<api::config::Config> = session.client.get("/configs").await?;
            for Reference { source, file } in self.configs {
                let found = all.iter().find(|config| config.spec.name == source);
                let config_id = found.with_context(|| format!("config not found: {source}"))?.id.clone();
                container.configs.retain(|old| old.file.as_ref().is_none_or(|old| old.name != file.name));
                let file = Some(file);
                container.configs.push(ConfigReference {
                    file,
                    runtime: None,
                    config_id,
                    config_name: source,
                });
            }
        }
        Ok(())
    }
}

/// Says what the daemon warns of.
pub(crate) fn warn(warnings: &[String]) {
    warnings.iter().for_each(|warning| eprintln!("{warning}"));
}
