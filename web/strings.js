import { settings } from './settings.js';

/** @import { ErrorCode, Mode, Reason } from './protocol' */

// Everything that people read, one table for each language. What the page in the room says is at
// the end.

const en = {
  product: 'Motet',
  tagline: 'Rooms for many voices. No account, nothing to install.',
  yourName: 'Your name',
  roomName: 'Room',
  roomHint: 'Leave empty for a new room',
  withMicrophone: 'Microphone',
  withCamera: 'Camera',
  join: 'Join',
  joining: 'Joining…',
  needName: 'Please say who you are.',
  guest: 'Guest',

  you: 'You',
  nameOfYou: (/** @type {string} */ name) => `${name} (you)`,
  screenOf: (/** @type {string} */ name) => `${name}’s screen`,
  yourScreen: 'Your screen',
  alone: 'You are the first one here.',
  aloneHint: 'Send the link to those you are waiting for.',

  microphone: 'Microphone',
  camera: 'Camera',
  share: 'Share screen',
  chat: 'Chat',
  people: 'People',
  leave: 'Leave',
  close: 'Close',
  pin: (/** @type {string} */ name) => `Show ${name} large`,
  unpin: (/** @type {string} */ name) => `Show ${name} among the others`,
  muted: 'microphone off',
  speaking: 'speaking',
  copyLink: 'Copy link',
  linkCopied: 'The link is in your clipboard.',
  linkNotCopied: (/** @type {string} */ link) => `Copy it yourself: ${link}`,
  clickToHear: 'Click to hear the others',
  clickToHearHint: 'Your browser holds the sound back until you click.',

  connecting: 'Connecting…',
  reconnecting: 'The connection was lost. Trying again…',
  /** @returns {string} */
  mode: (/** @type {Mode} */ mode) => (mode === 'mesh' ? 'Peer to peer' : 'Over the node'),
  /** @returns {string} */
  switching: (/** @type {Mode} */ mode) => (mode === 'mesh' ? 'Moving to peer to peer…' : 'Moving over to the node…'),
  cameIn: (/** @type {string} */ name) => `${name} came in.`,
  wentAway: (/** @type {string} */ name) => `${name} left.`,

  message: 'Message',
  send: 'Send',
  noMessages: 'Nothing was written yet.',
  unread: (/** @type {number} */ count) => `${count} unread`,

  devices: 'Devices',
  device: (/** @type {number} */ number) => `Device ${number}`,
  noStatistics: 'nothing arrives yet',
  video: 'Video',
  sound: 'Sound',
  sent: 'Sent',
  path: 'Path',
  picture: (/** @type {number} */ width, /** @type {number} */ height, /** @type {number} */ fps) =>
    `${width}×${height}, ${Math.round(fps)} fps`,
  bitrate: (/** @type {number} */ bits) =>
    bits >= 1e6 ? `${(bits / 1e6).toFixed(1)} Mb/s` : `${Math.round(bits / 1e3)} kb/s`,
  loss: (/** @type {number} */ percent) => `${percent.toFixed(1)}\u00a0%\u00a0lost`,
  rtt: (/** @type {number} */ ms) => `${ms} ms`,
  candidate: (/** @type {string} */ type) =>
    ({ host: 'direct', srflx: 'through NAT', prflx: 'through NAT', relay: 'relayed' })[type] ?? type,

  noDevices: 'No camera or microphone could be opened. You can see and hear the others.',
  denied: 'The browser was not allowed to use your camera or microphone. You can see and hear the others.',
  noMicrophone: 'No microphone could be opened. The others cannot hear you.',
  noCamera: 'No camera could be opened. The others cannot see you.',
  insecure: 'Browsers open cameras and microphones only on https pages (or on localhost).',
  noScreen: 'The screen could not be shared.',

  ended: 'You left the room.',
  rejoin: 'Join again',
  otherRoom: 'Another room',
  couldNotJoin: 'You could not join.',

  newRoom: 'New room',
  newRoomHint: 'It gets a link of its own, for you to send to the others.',
  enterRoom: 'Enter a room',
  enter: 'Enter',
  or: 'or',
  yourRooms: 'Your rooms',

  thisRoom: 'You are about to enter',
  yourPicture: 'Your picture',
  cameraIsOff: 'Your camera is off.',
  asking: 'Your browser may now ask whether this page may use your camera and microphone.',
  level: 'Microphone level',
  heard: 'Your microphone hears you.',
  speaker: 'Loudspeaker',
  systemChoice: 'The system’s choice',
  chooseSpeaker: 'Choose a loudspeaker',
  testSound: 'Play a sound',
  soundOptions: 'Sound options',
  noiseSuppression: 'Reduce background noise',
  echoCancellation: 'Cancel echo',
  autoGainControl: 'Adjust the volume of my voice by itself',
  mirror: 'Show my picture as in a mirror',
  mirrorHint: 'Only you see it mirrored. The others see you the right way round.',
  joinWithout: 'Join without camera and microphone',
  tryAgain: 'Try again',
  deniedTitle: 'Camera and microphone are not allowed yet',
  insecureTitle: 'Camera and microphone need https',
  insecureHelp: 'Open this page by an address that begins with https. Until then you can join, and see and hear the others.',
  deviceInUse: 'Another program seems to be using your camera or microphone. Close it and try again.',
  allow: {
    chromium: 'Click the symbol to the left of the address and allow camera and microphone.',
    firefox: 'Click the crossed-out camera to the left of the address and remove the block.',
    safari: 'In the menu, choose Safari, Settings for this website, and allow camera and microphone.',
    ios: 'Open the page menu beside the address, choose the website’s settings, and allow camera and microphone.',
    android: 'Touch the symbol to the left of the address, then Permissions, and allow camera and microphone.',
    other: 'Allow camera and microphone for this page in your browser’s settings.',
  },
  yourOwnRoom: 'This room is yours.',
  ownerHint: 'Whoever has the owner’s link decides about the room as you do. Guests get the other one.',
  copyGuestLink: 'Copy link for guests',
  copyOwnerLink: 'Copy owner’s link',
  ownerLinkCopied: 'The owner’s link is in your clipboard.',

  settings: 'Settings',
  language: 'Language',
  browserLanguage: 'As in the browser',
  languageLater: 'The room changes its language when you enter it next.',
  theme: 'Appearance',
  themes: { system: 'As in the system', light: 'Light', dark: 'Dark' },
  done: 'Done',

  waitingTitle: 'Please wait to be let in',
  waitingText: (/** @type {string} */ room) => `The owner of “${room}” sees that you are here. You enter as soon as you are let in.`,
  unreachable: 'The node cannot be reached',
  unreachableText: 'Perhaps you are offline, or it is being restarted. This page goes on trying.',
  goOnHere: 'Go on here',
  goHome: 'To the start page',
};

/** @type {Record<Reason, string>} */
const reasonsEn = {
  left: 'You left the room.',
  lost: 'The connection was lost.',
  silent: 'The node heard nothing from this page for too long.',
  slow: 'This page could not keep up with the room.',
  misbehaved: 'The node closed the connection because this page broke its rules.',
  roomClosed: 'The room was closed.',
  removed: 'The room’s owner sent you away.',
  denied: 'The room’s owner did not let you in.',
  replaced: 'The call goes on in another window.',
  shutdown: 'The node is being restarted.',
};

/** @type {Record<ErrorCode | 'timeout' | 'closed', string>} */
const errorsEn = {
  malformed: 'The node did not understand this page. Reloading may help.',
  tooLarge: 'That was too long.',
  tooFast: 'That was too much at once. Please wait a moment.',
  notJoined: 'You are not in the room.',
  alreadyJoined: 'You are in the room already.',
  badName: 'This name cannot be used: at most 64 characters, and no invisible ones.',
  roomLocked: 'The room’s owner lets nobody new in.',
  lobbyFull: 'Too many people are waiting to be let in.',
  forbidden: 'Only the room’s owner may do that.',
  resumeFailed: 'Your place in the room was given up.',
  roomFull: 'The room is full.',
  nodeFull: 'The node has no place for another room.',
  noSuchMember: 'They are no longer here.',
  staleEpoch: 'That came too late.',
  badOffer: 'The node could not use what this browser offers.',
  notPublished: 'That is not being sent.',
  limit: 'A limit was reached.',
  roomClosed: 'The room was closed.',
  internal: 'Something failed on the node.',
  timeout: 'The node did not answer in time.',
  closed: 'The node cannot be reached.',
};

/** @type {typeof en} */
const de = {
  product: 'Motet',
  tagline: 'Räume für viele Stimmen. Ohne Konto, ohne Installation.',
  yourName: 'Ihr Name',
  roomName: 'Raum',
  roomHint: 'Für einen neuen Raum leer lassen',
  withMicrophone: 'Mikrofon',
  withCamera: 'Kamera',
  join: 'Teilnehmen',
  joining: 'Verbindung wird aufgebaut …',
  needName: 'Bitte sagen Sie, wie Sie heißen.',
  guest: 'Gast',

  you: 'Sie',
  nameOfYou: (name) => `${name} (Sie)`,
  screenOf: (name) => `Bildschirm von ${name}`,
  yourScreen: 'Ihr Bildschirm',
  alone: 'Sie sind als Erste oder Erster hier.',
  aloneHint: 'Schicken Sie den Link an alle, auf die Sie warten.',

  microphone: 'Mikrofon',
  camera: 'Kamera',
  share: 'Bildschirm teilen',
  chat: 'Chat',
  people: 'Personen',
  leave: 'Verlassen',
  close: 'Schließen',
  pin: (name) => `${name} groß zeigen`,
  unpin: (name) => `${name} bei den anderen zeigen`,
  muted: 'Mikrofon aus',
  speaking: 'spricht',
  copyLink: 'Link kopieren',
  linkCopied: 'Der Link ist in der Zwischenablage.',
  linkNotCopied: (link) => `Bitte kopieren Sie ihn selbst: ${link}`,
  clickToHear: 'Klicken, um die anderen zu hören',
  clickToHearHint: 'Ihr Browser hält den Ton zurück, bis Sie klicken.',

  connecting: 'Verbindung wird aufgebaut …',
  reconnecting: 'Die Verbindung ist abgerissen. Neuer Versuch …',
  mode: (mode) => (mode === 'mesh' ? 'Direkt verbunden' : 'Über den Knoten'),
  switching: (mode) => (mode === 'mesh' ? 'Wechsel zu direkten Verbindungen …' : 'Wechsel auf den Knoten …'),
  cameIn: (name) => `${name} ist da.`,
  wentAway: (name) => `${name} ist gegangen.`,

  message: 'Nachricht',
  send: 'Senden',
  noMessages: 'Noch hat niemand etwas geschrieben.',
  unread: (count) => `${count} ungelesen`,

  devices: 'Geräte',
  device: (number) => `Gerät ${number}`,
  noStatistics: 'noch kommt nichts an',
  video: 'Bild',
  sound: 'Ton',
  sent: 'Gesendet',
  path: 'Weg',
  picture: (width, height, fps) => `${width}×${height}, ${Math.round(fps)} Bilder/s`,
  bitrate: (bits) => (bits >= 1e6 ? `${tenths(bits / 1e6, 'de')} Mb/s` : `${Math.round(bits / 1e3)} kb/s`),
  loss: (percent) => `${tenths(percent, 'de')}\u00a0%\u00a0verloren`,
  rtt: (ms) => `${ms} ms`,
  candidate: (type) => ({ host: 'direkt', srflx: 'durch NAT', prflx: 'durch NAT', relay: 'über ein Relais' })[type] ?? type,

  noDevices: 'Weder Kamera noch Mikrofon ließen sich öffnen. Sie können die anderen sehen und hören.',
  denied: 'Der Browser durfte Kamera oder Mikrofon nicht verwenden. Sie können die anderen sehen und hören.',
  noMicrophone: 'Kein Mikrofon ließ sich öffnen. Die anderen können Sie nicht hören.',
  noCamera: 'Keine Kamera ließ sich öffnen. Die anderen können Sie nicht sehen.',
  insecure: 'Browser öffnen Kamera und Mikrofon nur auf https-Seiten (oder auf localhost).',
  noScreen: 'Der Bildschirm ließ sich nicht teilen.',

  ended: 'Sie haben den Raum verlassen.',
  rejoin: 'Wieder teilnehmen',
  otherRoom: 'Ein anderer Raum',
  couldNotJoin: 'Sie konnten nicht teilnehmen.',

  newRoom: 'Neuer Raum',
  newRoomHint: 'Er bekommt einen eigenen Link, den Sie den anderen schicken.',
  enterRoom: 'Einen Raum betreten',
  enter: 'Betreten',
  or: 'oder',
  yourRooms: 'Ihre Räume',

  thisRoom: 'Gleich betreten Sie',
  yourPicture: 'Ihr Bild',
  cameraIsOff: 'Ihre Kamera ist aus.',
  asking: 'Ihr Browser fragt jetzt vielleicht, ob diese Seite Kamera und Mikrofon verwenden darf.',
  level: 'Pegel des Mikrofons',
  heard: 'Ihr Mikrofon hört Sie.',
  speaker: 'Lautsprecher',
  systemChoice: 'Wie im System',
  chooseSpeaker: 'Lautsprecher wählen',
  testSound: 'Ton abspielen',
  soundOptions: 'Toneinstellungen',
  noiseSuppression: 'Hintergrundgeräusche dämpfen',
  echoCancellation: 'Echo unterdrücken',
  autoGainControl: 'Lautstärke meiner Stimme anpassen',
  mirror: 'Mein Bild wie im Spiegel zeigen',
  mirrorHint: 'Gespiegelt sehen nur Sie es. Die anderen sehen Sie richtig herum.',
  joinWithout: 'Ohne Kamera und Mikrofon teilnehmen',
  tryAgain: 'Noch einmal versuchen',
  deniedTitle: 'Kamera und Mikrofon sind noch nicht erlaubt',
  insecureTitle: 'Kamera und Mikrofon brauchen https',
  insecureHelp: 'Öffnen Sie diese Seite unter einer Adresse, die mit https beginnt. Bis dahin können Sie teilnehmen und die anderen sehen und hören.',
  deviceInUse: 'Ein anderes Programm verwendet wohl Ihre Kamera oder Ihr Mikrofon. Schließen Sie es und versuchen Sie es noch einmal.',
  allow: {
    chromium: 'Klicken Sie auf das Symbol links neben der Adresse und erlauben Sie Kamera und Mikrofon.',
    firefox: 'Klicken Sie auf die durchgestrichene Kamera links neben der Adresse und heben Sie die Sperre auf.',
    safari: 'Wählen Sie im Menü Safari die Einstellungen für diese Website und erlauben Sie Kamera und Mikrofon.',
    ios: 'Öffnen Sie das Seitenmenü neben der Adresse, wählen Sie die Einstellungen der Website und erlauben Sie Kamera und Mikrofon.',
    android: 'Tippen Sie auf das Symbol links neben der Adresse, dann auf Berechtigungen, und erlauben Sie Kamera und Mikrofon.',
    other: 'Erlauben Sie Kamera und Mikrofon für diese Seite in den Einstellungen Ihres Browsers.',
  },
  yourOwnRoom: 'Dieser Raum gehört Ihnen.',
  ownerHint: 'Wer den Link der Leitung hat, bestimmt über den Raum wie Sie. Gäste bekommen den anderen.',
  copyGuestLink: 'Link für Gäste kopieren',
  copyOwnerLink: 'Link der Leitung kopieren',
  ownerLinkCopied: 'Der Link der Leitung ist in der Zwischenablage.',

  settings: 'Einstellungen',
  language: 'Sprache',
  browserLanguage: 'Wie im Browser',
  languageLater: 'Der Raum wechselt die Sprache, wenn Sie ihn das nächste Mal betreten.',
  theme: 'Erscheinungsbild',
  themes: { system: 'Wie im System', light: 'Hell', dark: 'Dunkel' },
  done: 'Fertig',

  waitingTitle: 'Bitte warten Sie, bis Sie eingelassen werden',
  waitingText: (room) => `Die Leitung von „${room}“ sieht, dass Sie da sind. Sobald Sie eingelassen werden, geht es los.`,
  unreachable: 'Der Knoten ist nicht zu erreichen',
  unreachableText: 'Vielleicht sind Sie offline, oder er wird gerade neu gestartet. Diese Seite versucht es weiter.',
  goOnHere: 'Hier weitermachen',
  goHome: 'Zur Startseite',
};

/** @type {typeof reasonsEn} */
const reasonsDe = {
  left: 'Sie haben den Raum verlassen.',
  lost: 'Die Verbindung ist abgerissen.',
  silent: 'Der Knoten hat zu lange nichts von dieser Seite gehört.',
  slow: 'Diese Seite kam mit dem Raum nicht mit.',
  misbehaved: 'Der Knoten hat die Verbindung beendet, weil diese Seite gegen seine Regeln verstieß.',
  roomClosed: 'Der Raum wurde geschlossen.',
  removed: 'Die Leitung des Raums hat Sie hinausgeschickt.',
  denied: 'Die Leitung des Raums hat Sie nicht eingelassen.',
  replaced: 'Das Gespräch geht in einem anderen Fenster weiter.',
  shutdown: 'Der Knoten wird neu gestartet.',
};

/** @type {typeof errorsEn} */
const errorsDe = {
  malformed: 'Der Knoten hat diese Seite nicht verstanden. Neu laden hilft vielleicht.',
  tooLarge: 'Das war zu lang.',
  tooFast: 'Das war zu viel auf einmal. Bitte warten Sie einen Augenblick.',
  notJoined: 'Sie sind nicht im Raum.',
  alreadyJoined: 'Sie sind schon im Raum.',
  badName: 'Dieser Name geht nicht: höchstens 64 Zeichen, keine unsichtbaren.',
  roomLocked: 'Die Leitung des Raums lässt niemanden mehr herein.',
  lobbyFull: 'Zu viele warten schon auf Einlass.',
  forbidden: 'Das darf nur die Leitung des Raums.',
  resumeFailed: 'Ihr Platz im Raum wurde freigegeben.',
  roomFull: 'Der Raum ist voll.',
  nodeFull: 'Der Knoten hat keinen Platz für einen weiteren Raum.',
  noSuchMember: 'Diese Person ist nicht mehr da.',
  staleEpoch: 'Das kam zu spät.',
  badOffer: 'Der Knoten kann mit dem Angebot dieses Browsers nichts anfangen.',
  notPublished: 'Das wird nicht gesendet.',
  limit: 'Eine Grenze ist erreicht.',
  roomClosed: 'Der Raum wurde geschlossen.',
  internal: 'Auf dem Knoten ist etwas schiefgegangen.',
  timeout: 'Der Knoten hat nicht rechtzeitig geantwortet.',
  closed: 'Der Knoten ist nicht zu erreichen.',
};

/** @type {typeof en} */
const fr = {
  product: 'Motet',
  tagline: 'Des salles pour plusieurs voix. Sans compte, sans installation.',
  yourName: 'Votre nom',
  roomName: 'Salle',
  roomHint: 'Laissez vide pour une nouvelle salle',
  withMicrophone: 'Micro',
  withCamera: 'Caméra',
  join: 'Participer',
  joining: 'Connexion…',
  needName: 'Dites-nous qui vous êtes.',
  guest: 'Invité',

  you: 'Vous',
  nameOfYou: (name) => `${name} (vous)`,
  screenOf: (name) => `Écran de ${name}`,
  yourScreen: 'Votre écran',
  alone: 'Il n’y a encore que vous ici.',
  aloneHint: 'Envoyez le lien à celles et ceux que vous attendez.',

  microphone: 'Micro',
  camera: 'Caméra',
  share: 'Partager l’écran',
  chat: 'Discussion',
  people: 'Personnes',
  leave: 'Quitter',
  close: 'Fermer',
  pin: (name) => `Afficher ${name} en grand`,
  unpin: (name) => `Afficher ${name} parmi les autres`,
  muted: 'micro coupé',
  speaking: 'parle',
  copyLink: 'Copier le lien',
  linkCopied: 'Le lien est dans le presse-papiers.',
  linkNotCopied: (link) => `Copiez-le vous-même : ${link}`,
  clickToHear: 'Cliquez pour entendre les autres',
  clickToHearHint: 'Votre navigateur retient le son jusqu’à ce que vous cliquiez.',

  connecting: 'Connexion…',
  reconnecting: 'La connexion a été perdue. Nouvel essai…',
  mode: (mode) => (mode === 'mesh' ? 'De pair à pair' : 'Par le nœud'),
  switching: (mode) => (mode === 'mesh' ? 'Passage de pair à pair…' : 'Passage par le nœud…'),
  cameIn: (name) => `${name} est là.`,
  wentAway: (name) => `${name} est parti(e).`,

  message: 'Message',
  send: 'Envoyer',
  noMessages: 'Rien n’a encore été écrit.',
  unread: (count) => `${count} non lus`,

  devices: 'Appareils',
  device: (number) => `Appareil ${number}`,
  noStatistics: 'rien n’arrive encore',
  video: 'Image',
  sound: 'Son',
  sent: 'Envoyé',
  path: 'Chemin',
  picture: (width, height, fps) => `${width}×${height}, ${Math.round(fps)} i/s`,
  bitrate: (bits) => (bits >= 1e6 ? `${tenths(bits / 1e6, 'fr')} Mb/s` : `${Math.round(bits / 1e3)} kb/s`),
  loss: (percent) => `${tenths(percent, 'fr')}\u00a0% perdus`,
  rtt: (ms) => `${ms} ms`,
  candidate: (type) => ({ host: 'direct', srflx: 'à travers un NAT', prflx: 'à travers un NAT', relay: 'relayé' })[type] ?? type,

  noDevices: 'Ni caméra ni micro n’ont pu être ouverts. Vous pouvez voir et entendre les autres.',
  denied: 'Le navigateur n’a pas pu utiliser la caméra ou le micro. Vous pouvez voir et entendre les autres.',
  noMicrophone: 'Aucun micro n’a pu être ouvert. Les autres ne vous entendent pas.',
  noCamera: 'Aucune caméra n’a pu être ouverte. Les autres ne vous voient pas.',
  insecure: 'Les navigateurs n’ouvrent caméra et micro que sur des pages https (ou sur localhost).',
  noScreen: 'L’écran n’a pas pu être partagé.',

  ended: 'Vous avez quitté la salle.',
  rejoin: 'Revenir',
  otherRoom: 'Une autre salle',
  couldNotJoin: 'Vous n’avez pas pu entrer.',

  newRoom: 'Nouvelle salle',
  newRoomHint: 'Elle reçoit son propre lien, à envoyer aux autres.',
  enterRoom: 'Entrer dans une salle',
  enter: 'Entrer',
  or: 'ou',
  yourRooms: 'Vos salles',

  thisRoom: 'Vous allez entrer dans',
  yourPicture: 'Votre image',
  cameraIsOff: 'Votre caméra est éteinte.',
  asking: 'Votre navigateur va peut-être demander si cette page peut utiliser la caméra et le micro.',
  level: 'Niveau du micro',
  heard: 'Votre micro vous entend.',
  speaker: 'Haut-parleur',
  systemChoice: 'Le choix du système',
  chooseSpeaker: 'Choisir un haut-parleur',
  testSound: 'Jouer un son',
  soundOptions: 'Options du son',
  noiseSuppression: 'Réduire le bruit de fond',
  echoCancellation: 'Supprimer l’écho',
  autoGainControl: 'Régler seul le volume de ma voix',
  mirror: 'Afficher mon image comme dans un miroir',
  mirrorHint: 'Vous seul(e) la voyez inversée. Les autres vous voient à l’endroit.',
  joinWithout: 'Participer sans caméra ni micro',
  tryAgain: 'Réessayer',
  deniedTitle: 'Caméra et micro ne sont pas encore autorisés',
  insecureTitle: 'Caméra et micro demandent https',
  insecureHelp: 'Ouvrez cette page par une adresse qui commence par https. En attendant, vous pouvez entrer, voir et entendre les autres.',
  deviceInUse: 'Un autre programme semble utiliser votre caméra ou votre micro. Fermez-le et réessayez.',
  allow: {
    chromium: 'Cliquez sur le symbole à gauche de l’adresse et autorisez la caméra et le micro.',
    firefox: 'Cliquez sur la caméra barrée à gauche de l’adresse et levez le blocage.',
    safari: 'Dans le menu Safari, ouvrez les réglages de ce site et autorisez la caméra et le micro.',
    ios: 'Ouvrez le menu de la page à côté de l’adresse, puis les réglages du site, et autorisez la caméra et le micro.',
    android: 'Touchez le symbole à gauche de l’adresse, puis Autorisations, et autorisez la caméra et le micro.',
    other: 'Autorisez la caméra et le micro pour cette page dans les réglages de votre navigateur.',
  },
  yourOwnRoom: 'Cette salle est à vous.',
  ownerHint: 'Qui a le lien de propriétaire décide de la salle comme vous. Les invités reçoivent l’autre.',
  copyGuestLink: 'Copier le lien des invités',
  copyOwnerLink: 'Copier le lien de propriétaire',
  ownerLinkCopied: 'Le lien de propriétaire est dans le presse-papiers.',

  settings: 'Réglages',
  language: 'Langue',
  browserLanguage: 'Comme le navigateur',
  languageLater: 'La salle changera de langue à votre prochaine entrée.',
  theme: 'Apparence',
  themes: { system: 'Comme le système', light: 'Claire', dark: 'Sombre' },
  done: 'Terminé',

  waitingTitle: 'Attendez qu’on vous fasse entrer',
  waitingText: (room) => `Le ou la propriétaire de « ${room} » voit que vous êtes là. Vous entrerez dès que vous serez admis(e).`,
  unreachable: 'Le nœud ne répond pas',
  unreachableText: 'Vous êtes peut-être hors ligne, ou il redémarre. Cette page continue d’essayer.',
  goOnHere: 'Continuer ici',
  goHome: 'Vers la page d’accueil',
};

/** @type {typeof reasonsEn} */
const reasonsFr = {
  left: 'Vous avez quitté la salle.',
  lost: 'La connexion a été perdue.',
  silent: 'Le nœud n’a rien entendu de cette page pendant trop longtemps.',
  slow: 'Cette page n’arrivait pas à suivre la salle.',
  misbehaved: 'Le nœud a fermé la connexion parce que cette page n’a pas suivi ses règles.',
  roomClosed: 'La salle a été fermée.',
  removed: 'Le ou la propriétaire de la salle vous a fait sortir.',
  denied: 'Le ou la propriétaire de la salle ne vous a pas fait entrer.',
  replaced: 'L’appel continue dans une autre fenêtre.',
  shutdown: 'Le nœud redémarre.',
};

/** @type {typeof errorsEn} */
const errorsFr = {
  malformed: 'Le nœud n’a pas compris cette page. La recharger peut aider.',
  tooLarge: 'C’était trop long.',
  tooFast: 'C’était trop à la fois. Attendez un instant.',
  notJoined: 'Vous n’êtes pas dans la salle.',
  alreadyJoined: 'Vous êtes déjà dans la salle.',
  badName: 'Ce nom ne convient pas : 64 caractères au plus, aucun invisible.',
  roomLocked: 'Le ou la propriétaire de la salle ne laisse plus entrer personne.',
  lobbyFull: 'Trop de personnes attendent déjà d’entrer.',
  forbidden: 'Seul(e) le ou la propriétaire de la salle peut faire cela.',
  resumeFailed: 'Votre place dans la salle a été libérée.',
  roomFull: 'La salle est pleine.',
  nodeFull: 'Le nœud n’a pas de place pour une salle de plus.',
  noSuchMember: 'Cette personne n’est plus là.',
  staleEpoch: 'C’était trop tard.',
  badOffer: 'Le nœud ne peut rien faire de ce que ce navigateur propose.',
  notPublished: 'Cela n’est pas envoyé.',
  limit: 'Une limite est atteinte.',
  roomClosed: 'La salle a été fermée.',
  internal: 'Quelque chose a échoué sur le nœud.',
  timeout: 'Le nœud n’a pas répondu à temps.',
  closed: 'Le nœud ne répond pas.',
};

/** @typedef {keyof typeof languages} Language */

/** The languages there are, each by its own name. */
export const languages = { en: 'English', de: 'Deutsch', fr: 'Français' };

/** @type {typeof en & typeof roomStrings.en} in the language in use; read it when it is shown */
export let strings;
/** @type {typeof reasonsEn} */
export let reasons;
/** @type {typeof errorsEn} */
export let errors;

/** @param {Language} language what is drawn from now on is in it */
export function setLanguage(language) {
  strings = { ...{ en, de, fr }[language], ...roomStrings[language] };
  reasons = { en: reasonsEn, de: reasonsDe, fr: reasonsFr }[language];
  errors = { en: errorsEn, de: errorsDe, fr: errorsFr }[language];
  if (globalThis.document) document.documentElement.lang = language;
}

/**
 * @param {string} chosen nothing, if nobody chose
 * @param {readonly string[]} preferred language tags (BCP 47), most wanted first
 * @returns {Language}
 */
export function languageFor(chosen, preferred) {
  const wanted = [chosen, ...preferred].map((tag) => tag.toLowerCase().split('-')[0] ?? '');
  const known = /** @type {Language | undefined} */ (wanted.find((language) => Object.hasOwn(languages, language)));
  return known ?? 'en';
}

/** Uses the language that was chosen here, else one that the browser prefers. */
export function usePreferredLanguage() {
  setLanguage(languageFor(settings.get('language'), globalThis.navigator?.languages ?? []));
}

/**
 * @param {number} value
 * @param {Language} language
 */
function tenths(value, language) {
  return value.toLocaleString(language, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
}

/** What the page in the room says, beside what is above. */
const roomStrings = {
  en: {},
  de: {},
  fr: {},
};

usePreferredLanguage();
