//! Things by small numbers that are used again: a lookup on the packet path is one index.

/// A table of things by slot. The number of a removed thing goes to a later one.
#[derive(Debug)]
pub struct Slots<T> {
    slots: Vec<Option<T>>,
    free: Vec<usize>,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<T> Slots<T> {
    /// The slot that the next [`insert`](Self::insert) will take.
    pub fn next(&self) -> usize {
        self.free.last().copied().unwrap_or(self.slots.len())
    }

    /// Puts a thing into a free slot and returns the slot.
    pub fn insert(&mut self, thing: T) -> usize {
        match self.free.pop() {
            Some(slot) => {
                self.slots[slot] = Some(thing);
                slot
            }
            None => {
                self.slots.push(Some(thing));
                self.slots.len() - 1
            }
        }
    }

    /// Takes a thing out.
    pub fn remove(&mut self, slot: usize) -> Option<T> {
        let thing = self.slots.get_mut(slot)?.take()?;
        self.free.push(slot);
        Some(thing)
    }

    /// The thing in a slot.
    pub fn get(&self, slot: usize) -> Option<&T> {
        self.slots.get(slot)?.as_ref()
    }

    /// The thing in a slot.
    pub fn get_mut(&mut self, slot: usize) -> Option<&mut T> {
        self.slots.get_mut(slot)?.as_mut()
    }

    /// Everything, by slot.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.slots.iter().flatten()
    }

    /// Everything, by slot.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.slots.iter_mut().flatten()
    }

    /// Slots that are taken, with what is in them.
    pub fn entries(&self) -> impl Iterator<Item = (usize, &T)> {
        self.slots
            .iter()
            .enumerate()
            .filter_map(|(slot, thing)| Some((slot, thing.as_ref()?)))
    }

    /// The number of slots, free ones too: every slot is below it.
    pub fn bound(&self) -> usize {
        self.slots.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_freed_slot_is_used_again_and_an_old_number_finds_nothing() {
        let mut slots = Slots::default();
        assert_eq!((slots.next(), slots.insert('a')), (0, 0));
        assert_eq!((slots.next(), slots.insert('b')), (1, 1));
        assert_eq!(slots.remove(0), Some('a'));
        assert_eq!((slots.remove(0), slots.get(0)), (None, None));
        assert_eq!((slots.next(), slots.insert('c')), (0, 0));
        assert_eq!(slots.entries().collect::<Vec<_>>(), [(0, &'c'), (1, &'b')]);
    }
}
