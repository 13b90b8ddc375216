//! The lab: a switch, and hosts that are plugged into it.

use std::net::Ipv4Addr;
use std::time::Duration;

use crate::daemon::Make;
use crate::home::Home;
use crate::host::Host;
use crate::image;
use crate::machine::Machine;
use crate::switch::Switch;
use crate::trouble::{Result, Trouble};

/// Hosts on a switch. Fields are dropped in this order: all machines end before the folder goes.
#[derive(Debug)]
pub struct Lab {
    hosts: Vec<Host>,
    switch: Switch,
    home: Home,
}

impl Lab {
    /// A lab without hosts.
    ///
    /// # Errors
    /// If this is not root, or a tool is missing.
    pub fn new() -> Result<Self> {
        let home = Home::new()?;
        let switch = Switch::start(&home)?;
        Ok(Self { hosts: Vec::new(), switch, home })
    }

    /// A lab with a host of this make for each name, each with its daemon started and the image [`crate::BUSYBOX`].
    ///
    /// # Errors
    /// If anything does not start.
    pub fn of(make: Make, names: &[&str]) -> Result<Self> {
        let mut lab = Self::new()?;
        for name in names {
            lab.add(name, make)?;
        }
        Ok(lab)
    }

    /// Adds a host, starts its daemon and gives it the image [`crate::BUSYBOX`].
    ///
    /// # Errors
    /// If it does not start.
    pub fn add(&mut self, name: &str, make: Make) -> Result<&Host> {
        self.add_with(name, make, &[])
    }

    /// Like [`Lab::add`], with more words for the daemon's command line.
    ///
    /// # Errors
    /// If it does not start.
    pub fn add_with(&mut self, name: &str, make: Make, extra: &[&str]) -> Result<&Host> {
        let folder = self.home.path().join(name);
        let address = Ipv4Addr::new(10, 77, 0, 1 + u8::try_from(self.hosts.len()).unwrap_or(u8::MAX));
        let extra = extra.iter().map(|word| (*word).to_owned()).collect();
        let name = name.to_owned();
        self.hosts.push(Host { name, address, folder, make, extra, daemon: None, machine: None });
        let number = self.hosts.len() - 1;
        self.turn_on(number)?;
        let archive = image::archive(&self.home)?.display().to_string();
        self.hosts[number].docker(&["import", &archive, image::BUSYBOX])?;
        Ok(&self.hosts[number])
    }

    /// All hosts, in the order in which they came.
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// A host by its name.
    ///
    /// # Errors
    /// If there is none.
    pub fn host(&self, name: &str) -> Result<&Host> {
        Ok(&self.hosts[self.find(name)?])
    }

    /// A host by its name, to do something to its daemon.
    ///
    /// # Errors
    /// If there is none.
    pub fn host_mut(&mut self, name: &str) -> Result<&mut Host> {
        let number = self.find(name)?;
        Ok(&mut self.hosts[number])
    }

    /// Cuts a host's cable.
    ///
    /// # Errors
    /// If there is no such host.
    pub fn cut(&self, name: &str) -> Result<()> {
        self.find(name)?;
        self.switch.cut(name)
    }

    /// Mends a host's cable.
    ///
    /// # Errors
    /// If there is no such host.
    pub fn mend(&self, name: &str) -> Result<()> {
        self.find(name)?;
        self.switch.mend(name)
    }

    /// Lets nothing through between these and those, neither way.
    ///
    /// # Errors
    /// If there is no such host.
    pub fn part(&mut self, these: &[&str], those: &[&str]) -> Result<()> {
        self.wall(these, those)?;
        self.wall(those, these)
    }

    /// Lets nothing through from these to those; the other way stays open.
    ///
    /// # Errors
    /// If there is no such host.
    pub fn wall(&mut self, from: &[&str], to: &[&str]) -> Result<()> {
        from.iter().chain(to).try_for_each(|name| self.find(name).map(drop))?;
        self.switch.wall(from, to)
    }

    /// Loses so many of a hundred packets from this host and to it.
    ///
    /// # Errors
    /// If there is no such host.
    pub fn lose(&mut self, name: &str, percent: u8) -> Result<()> {
        self.find(name)?;
        self.switch.lose(name, percent)
    }

    /// Holds all packets to this host back for so long.
    ///
    /// # Errors
    /// If there is no such host, or the kernel has no `netem`.
    pub fn delay(&self, name: &str, delay: Duration) -> Result<()> {
        self.find(name)?;
        self.switch.delay(name, delay)
    }

    /// Takes all walls and losses away. Cables that were cut stay cut.
    ///
    /// # Errors
    /// If the packet rules cannot be written.
    pub fn heal(&mut self) -> Result<()> {
        self.switch.heal()
    }

    /// Turns a host's power off: all its processes end at once, containers too, and its cable is gone.
    ///
    /// # Errors
    /// If there is no such host.
    pub fn power_off(&mut self, name: &str) -> Result<()> {
        let number = self.find(name)?;
        self.hosts[number].machine = None;
        self.hosts[number].daemon = None;
        Ok(())
    }

    /// Turns a host's power on again, and starts its daemon.
    ///
    /// # Errors
    /// If there is no such host, or it does not start.
    pub fn power_on(&mut self, name: &str) -> Result<()> {
        self.turn_on(self.find(name)?)
    }

    fn turn_on(&mut self, number: usize) -> Result<()> {
        let host = &mut self.hosts[number];
        let machine = Machine::start(&self.home.script(), &host.folder)?;
        self.switch.plug(&host.name, &machine, host.address)?;
        host.machine = Some(machine);
        host.start()
    }

    fn find(&self, name: &str) -> Result<usize> {
        let found = self.hosts.iter().position(|host| host.name == name);
        found.ok_or_else(|| Trouble::new(format!("looking for host {name}"), "the lab has none of this name"))
    }
}
