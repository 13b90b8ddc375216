//! Images of this node.

use std::sync::Arc;

use api::{ApiError, Filters};
use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderValue};
use axum::routing::{get, post};
use model::image::ImageRef;
use runtime::image::{
    Credentials, Distribution, ImageError, ImageFilter, ImportOptions, Insistence, Platform, Progress,
    PullOptions,
};
use serde_json::json;

use crate::daemon::Daemon;
use crate::http::error::Answer;
use crate::http::progress::watched;
use crate::http::request::{Query, Spoken};
use crate::http::routes::Shared;
use crate::http::{Failure, older, respond, stream};

pub(super) fn routes() -> Router<Arc<Daemon>> {
    Router::new()
        .route("/images/json", get(list))
        .route("/images/create", post(create))
        .route("/images/load", post(load))
        .route("/images/get", get(save_many))
        .route("/images/prune", post(prune))
        .route("/images/{*rest}", get(one).post(change).delete(remove))
        .route("/distribution/{*rest}", get(distribution))
}

const FILTERS: &[&str] = &["before", "dangling", "label", "label!", "reference", "since", "until"];

async fn list(State(daemon): Shared, query: Query) -> Answer {
    let filter = filter(&query.filters(FILTERS)?, None)?;
    Ok(respond::json(&daemon.images.list(&filter, &daemon.image_uses())?))
}

/// The filter in the words of the room of images; `dangling` says what holds if the client says nothing.
fn filter(filters: &Filters, dangling: Option<bool>) -> Result<ImageFilter, ApiError> {
    let texts = |key: &str| filters.values(key).map(str::to_owned).collect();
    let until = match filters.one("until")? {
        None => None,
        Some(text) => {
            let moment = api::time::moment(text, host::clock::now());
            moment.ok_or_else(|| ApiError::invalid(format!("invalid filter 'until={text}'")))?.0
        }
    };
    Ok(ImageFilter {
        references: texts("reference"),
        labels: texts("label"),
        labels_not: texts("label!"),
        dangling: filters.truth("dangling")?.or(dangling),
        before: filters.one("before")?.map(str::to_owned),
        since: filters.one("since")?.map(str::to_owned),
        until,
    })
}

async fn create(State(daemon): Shared, query: Query, headers: HeaderMap, request: Request) -> Answer {
    match (query.text("fromImage"), query.text("fromSrc")) {
        ("", "-") => import(&daemon, &query, request).await,
        ("", "") => Err(ApiError::invalid("either fromImage or fromSrc must be given").into()),
        ("", _) => Err(ApiError::not_built("importing from an address").into()),
        (name, _) => pull(daemon, name, &query, &headers).await,
    }
}

async fn pull(daemon: Arc<Daemon>, name: &str, query: &Query, headers: &HeaderMap) -> Answer {
    let reference = match query.text("tag") {
        "" => ImageRef::parse(name),
        digest if digest.contains(':') => ImageRef::parse(&format!("{name}@{digest}")),
        tag => ImageRef::parse(&format!("{name}:{tag}")),
    };
    let reference = reference.map_err(plain)?;
    let options = PullOptions { credentials: credentials(headers)?, platform: platform(query)? };
    let work = |progress: Progress| async move {
        let pulled = daemon.images.pull(&reference, options, progress).await?;
        daemon.tell_image("pull", &reference.familiar(), &pulled.id.to_string());
        Ok(())
    };
    watched(work).await
}

async fn import(daemon: &Daemon, query: &Query, request: Request) -> Answer {
    let name = match (query.text("repo"), query.text("tag")) {
        ("", _) => None,
        (repo, "") => Some(ImageRef::parse(repo).map_err(plain)?),
        (repo, tag) => Some(ImageRef::parse(&format!("{repo}:{tag}")).map_err(plain)?),
    };
    let options = ImportOptions {
        name,
        changes: query.all("changes").map(str::to_owned).collect(),
        message: query.text("message").to_owned(),
        platform: platform(query)?,
    };
    let named = options.name.as_ref().map(ImageRef::familiar);
    let id = daemon.images.import(stream::incoming(request), options).await?;
    daemon.tell_image("import", &id.to_string(), &id.to_string());
    if let Some(name) = named {
        daemon.tell_image("tag", &name, &id.to_string());
    }
    Ok(respond::json(&json!({ "status": id.to_string() })))
}

async fn load(State(daemon): Shared, request: Request) -> Answer {
    let archive = stream::incoming(request);
    let work = |progress: Progress| async move {
        for loaded in daemon.images.load(archive, progress).await? {
            daemon.tell_image("load", &loaded.id.to_string(), &loaded.id.to_string());
        }
        Ok(())
    };
    watched(work).await
}

async fn save_many(State(daemon): Shared, query: Query) -> Answer {
    let names: Vec<_> = query.all("names").flat_map(|names| names.split(',')).map(str::to_owned).collect();
    save(&daemon, &names)
}

fn save(daemon: &Daemon, names: &[String]) -> Answer {
    let archive = daemon.images.save(names)?;
    Ok(stream::with_type(HeaderValue::from_static("application/x-tar"), Body::from_stream(archive)))
}

/// Names have slashes, so that the verb is what stands behind the last one.
fn verb(rest: &str) -> Result<(&str, &str), Failure> {
    rest.rsplit_once('/').ok_or_else(|| ApiError::not_found("page not found").into())
}

async fn one(State(daemon): Shared, Path(rest): Path<String>, Spoken(version): Spoken) -> Answer {
    match verb(&rest)? {
        (name, "json") => Ok(respond::json(&older::image(&daemon.images.inspect(name)?, version))),
        (name, "history") => Ok(respond::json(&daemon.images.history(name)?)),
        (name, "get") => save(&daemon, &[name.to_owned()]),
        _ => Err(ApiError::not_found("page not found").into()),
    }
}

async fn change(State(daemon): Shared, Path(rest): Path<String>, query: Query, headers: HeaderMap) -> Answer {
    match verb(&rest)? {
        (name, "tag") => tag(&daemon, name, &query),
        (name, "push") => push(daemon, name, &query, &headers).await,
        _ => Err(ApiError::not_found("page not found").into()),
    }
}

fn tag(daemon: &Daemon, name: &str, query: &Query) -> Answer {
    let target = match (query.text("repo"), query.text("tag")) {
        (repo, "") => ImageRef::parse(repo),
        (repo, tag) => ImageRef::parse(&format!("{repo}:{tag}")),
    };
    let target = target.map_err(plain)?;
    let id = daemon.images.tag(name, &target)?;
    daemon.tell_image("tag", &target.familiar(), &id.to_string());
    Ok(respond::created())
}

async fn push(daemon: Arc<Daemon>, name: &str, query: &Query, headers: &HeaderMap) -> Answer {
    let references = to_push(&daemon, name, query.text("tag"))?;
    let credentials = credentials(headers)?;
    let work = |progress: Progress| async move {
        for reference in &references {
            daemon.images.push(reference, &credentials, &progress).await?;
            daemon.tell_image("push", &reference.familiar(), &reference.familiar());
        }
        Ok(())
    };
    watched(work).await
}

/// The name with this tag; without a tag, all names of this repository.
fn to_push(daemon: &Daemon, name: &str, tag: &str) -> Result<Vec<ImageRef>, Failure> {
    let text = if tag.is_empty() { name.to_owned() } else { format!("{name}:{tag}") };
    let reference = ImageRef::parse(&text).map_err(plain)?;
    if reference.tag.is_some() || reference.digest.is_some() {
        return Ok(vec![reference]);
    }
    let filter = ImageFilter { references: vec![reference.familiar_name()], ..ImageFilter::default() };
    let images = daemon.images.list(&filter, &Default::default())?;
    let names = images.iter().flat_map(|image| &image.repo_tags);
    let references: Vec<_> = names.filter_map(|name| ImageRef::parse(name).ok()).collect();
    if references.is_empty() {
        let name = reference.familiar_name();
        return Err(
            ApiError::not_found(format!("An image does not exist locally with the tag: {name}")).into()
        );
    }
    Ok(references)
}

async fn remove(State(daemon): Shared, Path(name): Path<String>, query: Query) -> Answer {
    let insistence = if query.truth("force") { Insistence::Forced } else { Insistence::Careful };
    let removed = daemon.images.remove(&name, insistence, &daemon.image_uses())?;
    for gone in &removed {
        daemon.tell_removed(gone);
    }
    Ok(respond::json(&removed))
}

async fn prune(State(daemon): Shared, query: Query) -> Answer {
    let filter = filter(&query.filters(FILTERS)?, Some(true))?;
    let pruned = daemon.images.prune(&filter, &daemon.image_uses())?;
    for gone in &pruned.images_deleted {
        daemon.tell_removed(gone);
    }
    daemon.tell_pruned("image", pruned.space_reclaimed);
    Ok(respond::json(&pruned))
}

async fn distribution(State(daemon): Shared, Path(rest): Path<String>, headers: HeaderMap) -> Answer {
    let (name, "json") = verb(&rest)? else { return Err(ApiError::not_found("page not found").into()) };
    let reference = ImageRef::parse(name).map_err(plain)?;
    let told: Distribution = daemon.images.distribution(&reference, &credentials(&headers)?).await?;
    Ok(respond::json(&told))
}

fn credentials(headers: &HeaderMap) -> Result<Credentials, ImageError> {
    let header = headers.get("x-registry-auth").map(|value| value.to_str().unwrap_or("?"));
    Credentials::parse(header.unwrap_or_default())
}

fn platform(query: &Query) -> Result<Option<Platform>, ImageError> {
    Some(query.text("platform")).filter(|text| !text.is_empty()).map(Platform::parse).transpose()
}

/// A malformed reference is told without the prefix of managers' refusals.
fn plain(refusal: model::Refusal) -> ApiError {
    ApiError::invalid(refusal.message)
}
