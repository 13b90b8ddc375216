//! Rules for system calls, compiled into the program that the kernel runs before each call.
//!
//! In: the rules in the OCI runtime's words. Out: the program. An OCI runtime would compile the same rules, by the same
//! library, for every container anew; that takes crun as long as the rest of a start.

use std::fs::File;
use std::io::{Read, Seek};

use libseccomp::error::SeccompError;
use libseccomp::{ScmpAction, ScmpArch, ScmpArgCompare, ScmpCompareOp, ScmpFilterContext, ScmpSyscall};
use nix::sys::memfd::{MFdFlags, memfd_create};

use crate::container::spec::document::{Seccomp, Syscall, SyscallArg};

/// Why rules cannot be compiled.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CompileError {
    /// A word that the library does not know, or rules that contradict each other.
    #[error(transparent)]
    Rules(#[from] SeccompError),
    /// The program could not be read back.
    #[error("reading the program: {0}")]
    Machine(#[from] std::io::Error),
}

/// Compiles rules.
///
/// # Errors
/// If a word of them is not known to this machine's library.
pub(crate) fn compile(rules: &Seccomp) -> Result<Vec<u8>, CompileError> {
    let usual = action(&rules.default_action, rules.default_errno_ret)?;
    let mut filter = ScmpFilterContext::new(usual)?;
    for architecture in &rules.architectures {
        filter.add_arch(architecture.parse::<ScmpArch>()?)?;
    }
    for syscall in &rules.syscalls {
        let wanted = action(&syscall.action, syscall.errno_ret)?;
        if wanted != usual {
            add(&mut filter, wanted, syscall)?;
        }
    }
    export(&filter)
}

fn add(filter: &mut ScmpFilterContext, wanted: ScmpAction, syscall: &Syscall) -> Result<(), SeccompError> {
    let conditions = syscall.args.iter().map(condition).collect::<Result<Vec<_>, _>>()?;
    // Several conditions on one argument are alternatives, others must all hold.
    let alternatives = has_duplicates(&syscall.args);
    // Profiles name calls that this machine need not have.
    for call in syscall.names.iter().filter_map(|name| ScmpSyscall::from_name(name).ok()) {
        if alternatives {
            for condition in &conditions {
                filter.add_rule_conditional(wanted, call, &[*condition])?;
            }
        } else {
            filter.add_rule_conditional(wanted, call, &conditions)?;
        }
    }
    Ok(())
}

fn action(word: &str, errno: Option<u32>) -> Result<ScmpAction, SeccompError> {
    let errno = errno.and_then(|errno| i32::try_from(errno).ok()).unwrap_or(libc::EPERM);
    ScmpAction::from_str(word, Some(errno))
}

fn condition(arg: &SyscallArg) -> Result<ScmpArgCompare, SeccompError> {
    let SyscallArg { index, value, value_two, op } = arg;
    Ok(match op.parse()? {
        // The first value is the mask, the second what shall be left.
        ScmpCompareOp::MaskedEqual(_) => {
            ScmpArgCompare::new(*index, ScmpCompareOp::MaskedEqual(*value), *value_two)
        }
        op => ScmpArgCompare::new(*index, op, *value),
    })
}

fn has_duplicates(args: &[SyscallArg]) -> bool {
    args.iter().enumerate().any(|(at, arg)| args[..at].iter().any(|other| other.index == arg.index))
}

/// The library writes to descriptors only.
fn export(filter: &ScmpFilterContext) -> Result<Vec<u8>, CompileError> {
    let mut file = File::from(memfd_create(c"filter", MFdFlags::MFD_CLOEXEC).map_err(std::io::Error::from)?);
    filter.export_bpf(&file)?;
    file.rewind()?;
    let mut program = Vec::new();
    file.read_to_end(&mut program)?;
    Ok(program)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::spec::seccomp::rules;

    /// What a program says to a call with these arguments: a pretended kernel, for the instructions that occur.
    fn run(program: &[u8], architecture: u32, call: u32, args: &[u64]) -> u32 {
        let word = |offset: usize| match offset {
            0 => call,
            4 => architecture,
            16.. => {
                let arg = args.get((offset - 16) / 8).copied().unwrap_or(0);
                if offset.is_multiple_of(8) { arg as u32 } else { (arg >> 32) as u32 }
            }
            _ => 0,
        };
        let (mut at, mut accumulator) = (0, 0);
        loop {
            let [a, b, yes, no, value @ ..] = program.as_chunks::<8>().0[at];
            let value = u32::from_ne_bytes(value);
            at += 1;
            let branch = |holds: bool| usize::from(if holds { yes } else { no });
            match u16::from_ne_bytes([a, b]) {
                0x20 => accumulator = word(value as usize),
                0x54 => accumulator &= value,
                0x05 => at += value as usize,
                0x15 => at += branch(accumulator == value),
                0x25 => at += branch(accumulator > value),
                0x35 => at += branch(accumulator >= value),
                0x45 => at += branch(accumulator & value != 0),
                0x06 => return value,
                code => panic!("instruction {code:#x} is not known here"),
            }
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn the_program_says_what_the_rules_say() {
        const X86_64: u32 = 0xC000_003E;
        const I386: u32 = 0x4000_0003;
        const ALLOW: u32 = 0x7fff_0000;
        const REFUSE: u32 = 0x0005_0000;
        const KILL: u32 = 0;
        let profile = r#"{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":38,
            "archMap":[{"architecture":"SCMP_ARCH_X86_64","subArchitectures":["SCMP_ARCH_X86"]}],
            "syscalls":[
              {"names":["read","no_such_call"],"action":"SCMP_ACT_ALLOW"},
              {"names":["mount"],"action":"SCMP_ACT_ERRNO","errnoRet":1},
              {"names":["personality"],"action":"SCMP_ACT_ALLOW",
               "args":[{"index":0,"value":8,"op":"SCMP_CMP_EQ"},{"index":0,"value":131072,"op":"SCMP_CMP_EQ"}]},
              {"names":["clone"],"action":"SCMP_ACT_ALLOW",
               "args":[{"index":0,"value":2114060288,"valueTwo":0,"op":"SCMP_CMP_MASKED_EQ"}]},
              {"names":["socket"],"action":"SCMP_ACT_ALLOW",
               "args":[{"index":0,"value":1,"op":"SCMP_CMP_EQ"},{"index":1,"value":2,"op":"SCMP_CMP_GT"}]}]}"#;
        let program = compile(&rules(profile, &[]).unwrap()).unwrap();
        let call = |number: i64| u32::try_from(number).unwrap();
        for (architecture, number, args, expected) in [
            (X86_64, call(libc::SYS_read), vec![], ALLOW),
            (I386, 3, vec![], ALLOW),
            (X86_64, call(libc::SYS_mount), vec![], REFUSE | 1),
            (X86_64, call(libc::SYS_write), vec![], REFUSE | 38),
            (X86_64, call(libc::SYS_personality), vec![8], ALLOW),
            (X86_64, call(libc::SYS_personality), vec![131_072], ALLOW),
            (X86_64, call(libc::SYS_personality), vec![8 << 32], REFUSE | 38),
            (X86_64, call(libc::SYS_clone), vec![0x11], ALLOW),
            (X86_64, call(libc::SYS_clone), vec![0x1000_0000], REFUSE | 38),
            (X86_64, call(libc::SYS_socket), vec![1, 3], ALLOW),
            (X86_64, call(libc::SYS_socket), vec![1, 2], REFUSE | 38),
            (X86_64, call(libc::SYS_socket), vec![2, 3], REFUSE | 38),
            (0x4000_0028, 0, vec![], KILL),
        ] {
            assert_eq!(run(&program, architecture, number, &args), expected, "{number} {args:?}");
        }
    }

    #[test]
    fn words_that_nobody_knows_are_refused() {
        for profile in [
            r#"{"defaultAction":"SCMP_ACT_FLY"}"#,
            r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["read"],"action":"nonsense"}]}"#,
            r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["read"],"action":"SCMP_ACT_ERRNO",
                "args":[{"index":0,"value":1,"op":"IS_NICE"}]}]}"#,
        ] {
            assert!(compile(&rules(profile, &[]).unwrap()).is_err(), "{profile}");
        }
    }
}
