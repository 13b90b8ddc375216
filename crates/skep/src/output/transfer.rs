//! How far images have come: a bar for each layer on a terminal, a line for each step elsewhere.

use std::io::{IsTerminal, Write};

use anyhow::{Result, bail};
use api::image::Progress;
use http_body_util::BodyExt;
use hyper::Response;
use hyper::body::Incoming;

use super::board::Board;
use super::units;

/// Shows what an answer tells until it ends; fails if it tells of a failure.
pub(crate) async fn show(out: &mut (impl Write + IsTerminal), response: Response<Incoming>) -> Result<()> {
    let mut body = response.into_body();
    let mut rest = Vec::new();
    let mut board = Board::new(out);
    while let Some(frame) = body.frame().await {
        let Ok(piece) = frame?.into_data() else { continue };
        rest.extend_from_slice(&piece);
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            show_line(&mut board, out, &line)?;
        }
    }
    show_line(&mut board, out, &rest)
}

/// Reads an answer to its end and shows nothing; fails if it tells of a failure.
pub(crate) async fn drain(response: Response<Incoming>) -> Result<()> {
    let bytes = response.into_body().collect().await?.to_bytes();
    let mut board = Board::default();
    bytes.split(|byte| *byte == b'\n').try_for_each(|line| show_line(&mut board, &mut std::io::sink(), line))
}

/// On a terminal each layer has a line of its own; elsewhere only steps are told, not how far they are.
fn show_line(board: &mut Board, out: &mut impl Write, line: &[u8]) -> Result<()> {
    if line.trim_ascii().is_empty() {
        return Ok(());
    }
    let progress: Progress = api::read(line)?;
    if let Some(failure) = &progress.error_detail {
        bail!("{}", failure.message);
    }
    if !progress.error.is_empty() {
        bail!("{}", progress.error);
    }
    let detail = progress.progress_detail.filter(|detail| detail.current > 0);
    if !progress.stream.is_empty() {
        write!(out, "{}", progress.stream)?;
    } else if board.is_terminal() && !progress.id.is_empty() {
        let how_far = detail.map(|detail| how_far(board, detail.current, detail.total)).unwrap_or_default();
        board.put(out, &progress.id, format!("{} {how_far}", sentence(&progress)).trim_end())?;
    } else if detail.is_none() {
        board.forget();
        writeln!(out, "{}", sentence(&progress))?;
    }
    Ok(out.flush()?)
}

fn sentence(progress: &Progress) -> String {
    match progress.id.as_str() {
        "" => progress.status.clone(),
        id => format!("{id}: {}", progress.status),
    }
}

/// `[=====>     ]  1.2MB/3MB`
fn how_far(board: &Board, current: u64, total: u64) -> String {
    let size = |bytes: u64| units::size(bytes as f64);
    if total == 0 || current > total {
        return format!("{:>8}", size(current));
    }
    format!("{} {:>8}/{}", board.bar(current, total), size(current), size(total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_gets_a_line_for_each_step() {
        let mut board = Board::default();
        let mut out = Vec::new();
        for line in [
            r#"{"status":"Pulling from web","id":"1"}"#,
            r#"{"status":"Downloading","id":"ab","progressDetail":{"current":5,"total":10}}"#,
            r#"{"status":"Pull complete","id":"ab"}"#,
        ] {
            show_line(&mut board, &mut out, line.as_bytes()).unwrap();
        }
        assert_eq!(String::from_utf8(out).unwrap(), "1: Pulling from web\nab: Pull complete\n");
    }

    #[test]
    fn a_failure_ends_it_in_its_own_words() {
        let line = br#"{"error":"no","errorDetail":{"message":"no space left"}}"#;
        let error = show_line(&mut Board::default(), &mut Vec::new(), line).unwrap_err();
        assert_eq!(error.to_string(), "no space left");
    }

    #[test]
    fn more_than_all_has_no_bar() {
        let board = Board::default();
        assert_eq!(how_far(&board, 10, 5).trim(), "10B");
        assert!(how_far(&board, 5, 10).ends_with("      5B/10B"));
    }
}
