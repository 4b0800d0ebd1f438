import { strings } from '../strings.js';

/**
 * @import { Reaction } from '../protocol'
 * @import { Item } from './menu.js'
 */

/** In the order of their keys, from 1. @type {readonly Reaction[]} */
export const REACTIONS = ['thumbsUp', 'thumbsDown', 'clap', 'heart', 'laugh', 'surprise', 'party'];

/**
 * @param {(reaction: Reaction) => unknown} act
 * @returns {Item[]}
 */
export function reactionItems(act) {
  return REACTIONS.map((reaction, index) => ({
    label: strings.reactions[reaction],
    icon: reaction,
    hint: String(index + 1),
    act: () => act(reaction),
  }));
}
