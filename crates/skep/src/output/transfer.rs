//! How far images have come: a bar for each layer on a terminal, a line for each step elsewhere.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};

use anyhow::{Result, bail};
use api::image::Progress;
use http_body_util::BodyExt;
use hyper::Response;
use hyper::body::Incoming;

use super::units;
use crate::session::Session;

/// Shows what an answer tells until it ends; fails if it tells of a failure.
pub(crate) async fn show(session: &mut Session, response: Response<Incoming>) -> Result<()> {
    let mut body = response.into_body();
    let mut rest = Vec::new();
    let mut board = Board { is_terminal: session.out.is_terminal(), ..Board::default() };
    while let Some(frame) = body.frame().await {
        let Ok(piece) = frame?.into_data() else { continue };
        rest.extend_from_slice(&piece);
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            board.show(&mut session.out, &line)?;
        }
    }
    board.show(&mut session.out, &rest)
}

/// Reads an answer to its end and shows nothing; fails if it tells of a failure.
pub(crate) async fn drain(response: Response<Incoming>) -> Result<()> {
    let bytes = response.into_body().collect().await?.to_bytes();
    let mut board = Board::default();
    bytes.split(|byte| *byte == b'\n').try_for_each(|line| board.show(&mut std::io::sink(), line))
}

/// Which layer stands on which line of the terminal.
#[derive(Default)]
struct Board {
    is_terminal: bool,
    lines: BTreeMap<String, usize>,
}

impl Board {
    fn show(&mut self, out: &mut impl Write, line: &[u8]) -> Result<()> {
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
        if !progress.stream.is_empty() {
            write!(out, "{}", progress.stream)?;
        } else if self.is_terminal && !progress.id.is_empty() {
            self.draw(out, &progress)?;
        } else if progress.progress_detail.is_none_or(|detail| detail.current == 0) {
            self.lines.clear();
            writeln!(out, "{}", sentence(&progress))?;
        }
        Ok(out.flush()?)
    }

    /// Writes over the line of the layer, or begins one below the others.
    fn draw(&mut self, out: &mut impl Write, progress: &Progress) -> Result<()> {
        let count = self.lines.len();
        let bar = progress.progress_detail.map(|detail| bar(detail.current, detail.total));
        let text = format!("{} {}", sentence(progress), bar.unwrap_or_default());
        match self.lines.get(&progress.id) {
            Some(at) => {
                let up = count - at;
                write!(out, "\x1b[{up}A\x1b[2K\r{}\r\x1b[{up}B", text.trim_end())?;
            }
            None => {
                self.lines.insert(progress.id.clone(), count);
                writeln!(out, "{}", text.trim_end())?;
            }
        }
        Ok(())
    }
}

fn sentence(progress: &Progress) -> String {
    match progress.id.as_str() {
        "" => progress.status.clone(),
        id => format!("{id}: {}", progress.status),
    }
}

/// `[=====>     ]  1.2MB/3MB`
fn bar(current: u64, total: u64) -> String {
    const WIDTH: u64 = 50;
    if current == 0 && total == 0 {
        return String::new();
    }
    let size = |bytes: u64| units::size(bytes as f64);
    if total == 0 || current > total {
        return format!("{:>8}", size(current));
    }
    let done = (current.saturating_mul(WIDTH) / total) as usize;
    let head = if current < total { ">" } else { "" };
    format!("[{:<50}]  {:>8}/{}", format!("{}{head}", "=".repeat(done)), size(current), size(total))
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
            board.show(&mut out, line.as_bytes()).unwrap();
        }
        assert_eq!(String::from_utf8(out).unwrap(), "1: Pulling from web\nab: Pull complete\n");
    }

    #[test]
    fn a_failure_ends_it_in_its_own_words() {
        let line = br#"{"error":"no","errorDetail":{"message":"no space left"}}"#;
        let error = Board::default().show(&mut Vec::new(), line).unwrap_err();
        assert_eq!(error.to_string(), "no space left");
    }

    #[test]
    fn bars_never_run_over() {
        assert_eq!(bar(10, 5).trim(), "10B");
        assert!(bar(5, 10).starts_with("[=========================>"));
        assert_eq!(bar(0, 0), "");
        assert!(bar(u64::MAX, u64::MAX).starts_with('['));
    }
}
