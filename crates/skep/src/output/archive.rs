//! Archives that a daemon sends: into a file, or to standard output if that is no terminal.

use std::fs::File;
use std::io::{IsTerminal, Write};
use std::path::Path;

use anyhow::{Context, Result, bail};
use http_body_util::BodyExt;
use hyper::Response;
use hyper::body::Incoming;

/// Refuses to fill a terminal with bytes.
pub(crate) fn check(file: Option<&Path>, refusal: &str) -> Result<()> {
    if file.is_none() && std::io::stdout().is_terminal() {
        bail!("{refusal}");
    }
    Ok(())
}

/// Writes an answer to a file, or to standard output.
pub(crate) async fn save(response: Response<Incoming>, file: Option<&Path>) -> Result<()> {
    match file {
        None => copy(response, &mut std::io::stdout()).await,
        Some(path) => {
            copy(response, &mut File::create(path).with_context(|| path.display().to_string())?).await
        }
    }
}

/// Writes an answer piece by piece.
pub(crate) async fn copy(response: Response<Incoming>, out: &mut impl Write) -> Result<()> {
    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        if let Ok(piece) = frame?.into_data() {
            out.write_all(&piece)?;
        }
    }
    Ok(out.flush()?)
}
