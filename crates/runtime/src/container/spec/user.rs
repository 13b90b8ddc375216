//! Who a container's process is: `user[:group]` and more groups, looked up in the container's own files.

use crate::container::error::ContainerError;
use crate::container::spec::document::User;

/// The texts of the container's `/etc/passwd` and `/etc/group`; empty if there are none.
#[derive(Clone, Debug, Default)]
pub(crate) struct Accounts {
    pub(crate) passwd: String,
    pub(crate) group: String,
}

impl Accounts {
    /// Who `wish` is, with these groups besides.
    ///
    /// # Errors
    /// If a name is not in the files.
    pub(crate) fn resolve(&self, wish: &str, groups: &[String]) -> Result<User, ContainerError> {
        let (name, group) = match wish.split_once(':') {
            Some((name, group)) => (name, Some(group).filter(|group| !group.is_empty())),
            None => (wish, None),
        };
        let name = if name.is_empty() { "0" } else { name };
        let account = self.account(name);
        let (uid, own_gid) = match (account, id(name)) {
            (Some(account), _) => (account.uid, account.gid),
            (None, Some(uid)) => (uid, 0),
            (None, None) => {
                let text = format!("unable to find user {name}: no matching entries in passwd file");
                return Err(ContainerError::Invalid(text));
            }
        };
        let (gid, mut additional_gids) = match group {
            Some(group) => (self.gid(group)?, Vec::new()),
            None => (own_gid, account.map(|account| self.memberships(account.name)).unwrap_or_default()),
        };
        for group in groups {
            additional_gids.push(self.gid(group)?);
        }
        additional_gids.dedup();
        Ok(User { uid, gid, additional_gids })
    }

    fn account(&self, name: &str) -> Option<Account<'_>> {
        let accounts = || self.passwd.lines().filter_map(Account::parse);
        let by_name = accounts().find(|account| account.name == name);
        by_name.or_else(|| id(name).and_then(|uid| accounts().find(|account| account.uid == uid)))
    }

    fn gid(&self, group: &str) -> Result<u32, ContainerError> {
        let by_name = self.groups().find(|(name, ..)| *name == group).map(|(_, gid, _)| gid);
        by_name.or_else(|| id(group)).ok_or_else(|| {
            ContainerError::Invalid(format!(
                "unable to find group {group}: no matching entries in group file"
            ))
        })
    }

    fn memberships(&self, user: &str) -> Vec<u32> {
        let has = |members: &str| members.split(',').any(|member| member.trim() == user);
        self.groups().filter(|(.., members)| has(members)).map(|(_, gid, _)| gid).collect()
    }

    fn groups(&self) -> impl Iterator<Item = (&str, u32, &str)> {
        self.group.lines().filter_map(|line| {
            let mut parts = line.split(':');
            let (name, _, gid) = (parts.next()?, parts.next()?, parts.next()?);
            Some((name, id(gid)?, parts.next().unwrap_or_default()))
        })
    }
}

#[derive(Clone, Copy)]
struct Account<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
}

impl<'a> Account<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let mut parts = line.split(':');
        let (name, _, uid, gid) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        Some(Self { name, uid: id(uid)?, gid: id(gid)? })
    }
}

/// A number as the kernel allows it for users and groups.
fn id(text: &str) -> Option<u32> {
    text.trim().parse().ok().filter(|id| *id <= i32::MAX as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn accounts() -> Accounts {
        Accounts {
            passwd: "root:x:0:0:root:/root:/bin/sh\nwww:x:33:33::/var/www:/bin/sh\nodd\n".into(),
            group: "root:x:0:\nwheel:x:10:root,www\nwww:x:33:\ndisk:x:6:root\n".into(),
        }
    }

    fn check(wish: &str, groups: &[&str]) -> Result<(u32, u32, Vec<u32>), String> {
        let groups: Vec<_> = groups.iter().map(|group| (*group).to_owned()).collect();
        let user = accounts().resolve(wish, &groups).map_err(|error| error.to_string())?;
        Ok((user.uid, user.gid, user.additional_gids))
    }

    #[test]
    fn users_are_found_by_name_and_number() {
        assert_eq!(check("", &[]), Ok((0, 0, vec![10, 6])));
        assert_eq!(check("www", &[]), Ok((33, 33, vec![10])));
        assert_eq!(check("33", &["disk", "99"]), Ok((33, 33, vec![10, 6, 99])));
        assert_eq!(check("www:disk", &[]), Ok((33, 6, vec![])));
        assert_eq!(check("1000:7", &[]), Ok((1000, 7, vec![])));
        assert_eq!(check("1000", &[]), Ok((1000, 0, vec![])));
    }

    #[test]
    fn who_is_not_there_is_refused_by_name() {
        let text = "unable to find user bob: no matching entries in passwd file";
        assert_eq!(check("bob", &[]), Err(text.to_owned()));
        let text = "unable to find group club: no matching entries in group file";
        assert_eq!(check("www:club", &[]), Err(text.to_owned()));
    }

    proptest! {
        #[test]
        fn no_account_file_topples_it(passwd in ".{0,80}", group in ".{0,80}", wish in ".{0,12}") {
            let _ = Accounts { passwd, group }.resolve(&wish, &[]);
        }
    }
}
