/** @import { RowId } from '../check/examination.js' */

// What people read on the page that checks the connection, one table for each language.

/**
 * @typedef {object} RowWords
 * @property {string} name
 * @property {string} what is being tried
 * @property {string} ok
 * @property {string} failed
 *
 * @param {Record<RowId, RowWords>} rows
 */
const rowsOf = (rows) => rows;

const en = {
  title: 'Check the connection',
  link: 'Check the connection',
  again: 'Check again',
  copy: 'Copy the report',
  copied: 'The report is in your clipboard.',
  copyYourself: 'Copy the report yourself:',
  connected: (/** @type {number} */ ms) => `up after ${Math.round(ms)} ms`,
  roundTrip: (/** @type {number} */ ms) => `round trip ${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`,
  notOffered: 'This node does not offer it.',
  notTried: 'Not tried, as the WebSocket did not open.',
  outcomes: {
    running: 'being tried',
    ok: 'works',
    limited: 'look here',
    failed: 'does not work',
    notOffered: 'not offered',
    notTried: 'not tried',
  },
  verdicts: {
    running: 'Trying every way to the node…',
    works: 'Calls will work.',
    worksUnseen: 'Calls will work, but your browser opens no camera or microphone here.',
    relayOnly: 'Calls will work over the relay only.',
    relayOnlyNoUdp: 'UDP seems blocked: calls will work over the relay only, with some delay.',
    overTcp: 'UDP seems blocked: calls will work over TCP, with some delay.',
    noUdp: 'UDP seems blocked: calls will not work from here. Try another network, or ask for its UDP to be let through.',
    noMedia: 'Calls will not work: the node answers over UDP, but no connection to it comes up.',
    noWebsocket: 'Calls will not work: this page cannot talk to the node.',
  },
  rows: rowsOf({
    websocket: {
      name: 'WebSocket',
      what: 'By which the node and this page talk.',
      ok: 'The node and this page talk.',
      failed: 'It does not open. A proxy between you and the node may not let WebSockets through.',
    },
    leg: {
      name: 'Media of the node',
      what: 'The way that sound and pictures take in larger rooms.',
      ok: 'Sound and pictures reach the node and come back.',
      failed: 'The node cannot be reached for media. A firewall here or there may not let its UDP port through.',
    },
    host: {
      name: 'Addresses of this device',
      what: 'Under which others in the same network find you.',
      ok: 'The browser tells its addresses, perhaps behind random names.',
      failed: 'The browser tells none, by a setting or an extension. Direct calls within a network will not work.',
    },
    stun: {
      name: 'Address from outside (STUN)',
      what: 'Under which others elsewhere find you.',
      ok: 'The node has told it.',
      failed: 'The node did not tell it in time. Others elsewhere will hardly reach you directly.',
    },
    turnUdp: {
      name: 'Relay over UDP',
      what: 'For when two do not find each other.',
      ok: 'Messages went around by way of the relay.',
      failed: 'Nothing came through the relay this way.',
    },
    turnTcp: {
      name: 'Relay over TCP',
      what: 'For networks that let no UDP through.',
      ok: 'Messages went around by way of the relay.',
      failed: 'Nothing came through the relay this way.',
    },
    turnTls: {
      name: 'Relay over TLS',
      what: 'For networks that let through only what looks like web pages.',
      ok: 'Messages went around by way of the relay.',
      failed: 'Nothing came through the relay this way. A certificate that the browser does not know is one cause.',
    },
    devices: {
      name: 'Camera and microphone',
      what: 'Whether the browser may open them.',
      ok: 'The browser may open them.',
      failed: 'The browser cannot open them.',
    },
  }),
  because: {
    'stun.nat': 'Others see you under the address below.',
    'stun.noNat': 'Between you and the node there is no other address.',
    'leg.tcp': 'Sound and pictures reach the node over TCP alone. A firewall here or there may not let its UDP port through.',
    'leg.dtls': 'The node was reached, but the handshake did not end. Something on the way changes what is sent.',
    'turnUdp.path': 'The relay gave an address, but nothing came through it.',
    'turnTcp.path': 'The relay gave an address, but nothing came through it.',
    'turnTls.path': 'The relay gave an address, but nothing came through it.',
    'devices.granted': 'The browser may open them.',
    'devices.prompt': 'The browser will ask you before a call.',
    'devices.denied': 'The browser was told not to. Change that beside the address, or join without.',
    'devices.absent': 'There are none. You can see and hear the others.',
    'devices.insecure': 'Browsers open them only on https pages (or on localhost).',
  },
};

/** @type {typeof en} */
const de = {
  title: 'Verbindung prüfen',
  link: 'Verbindung prüfen',
  again: 'Noch einmal prüfen',
  copy: 'Bericht kopieren',
  copied: 'Der Bericht ist in der Zwischenablage.',
  copyYourself: 'Kopieren Sie den Bericht selbst:',
  connected: (ms) => `verbunden nach ${Math.round(ms)} ms`,
  roundTrip: (ms) => `hin und zurück ${ms < 10 ? ms.toFixed(1).replace('.', ',') : Math.round(ms)} ms`,
  notOffered: 'Dieser Knoten bietet das nicht an.',
  notTried: 'Nicht versucht, weil der WebSocket nicht aufging.',
  outcomes: {
    running: 'wird versucht',
    ok: 'geht',
    limited: 'bitte ansehen',
    failed: 'geht nicht',
    notOffered: 'nicht angeboten',
    notTried: 'nicht versucht',
  },
  verdicts: {
    running: 'Jeder Weg zum Knoten wird versucht …',
    works: 'Gespräche werden gelingen.',
    worksUnseen: 'Gespräche werden gelingen, aber Ihr Browser öffnet hier keine Kamera und kein Mikrofon.',
    relayOnly: 'Gespräche werden nur über das Relais gelingen.',
    relayOnlyNoUdp: 'UDP scheint gesperrt zu sein: Gespräche werden nur über das Relais gelingen, mit etwas Verzögerung.',
    overTcp: 'UDP scheint gesperrt zu sein: Gespräche werden über TCP gelingen, mit etwas Verzögerung.',
    noUdp: 'UDP scheint gesperrt zu sein: Von hier aus werden Gespräche nicht gelingen. Versuchen Sie es in einem anderen Netz, oder lassen Sie UDP freigeben.',
    noMedia: 'Gespräche werden nicht gelingen: Der Knoten antwortet über UDP, aber es kommt keine Verbindung zustande.',
    noWebsocket: 'Gespräche werden nicht gelingen: Diese Seite kann nicht mit dem Knoten sprechen.',
  },
  rows: rowsOf({
    websocket: {
      name: 'WebSocket',
      what: 'Darüber sprechen der Knoten und diese Seite.',
      ok: 'Der Knoten und diese Seite sprechen miteinander.',
      failed: 'Er geht nicht auf. Vielleicht lässt ein Proxy zwischen Ihnen und dem Knoten keine WebSockets durch.',
    },
    leg: {
      name: 'Medien des Knotens',
      what: 'Der Weg, den Ton und Bild in größeren Räumen nehmen.',
      ok: 'Ton und Bild erreichen den Knoten und kommen zurück.',
      failed: 'Der Knoten ist für Medien nicht zu erreichen. Vielleicht lässt eine Firewall hier oder dort seinen UDP-Port nicht durch.',
    },
    host: {
      name: 'Adressen dieses Geräts',
      what: 'Unter denen andere im selben Netz Sie finden.',
      ok: 'Der Browser nennt seine Adressen, vielleicht hinter zufälligen Namen.',
      failed: 'Der Browser nennt keine, wegen einer Einstellung oder Erweiterung. Direkte Gespräche im selben Netz gehen so nicht.',
    },
    stun: {
      name: 'Adresse von außen (STUN)',
      what: 'Unter der andere anderswo Sie finden.',
      ok: 'Der Knoten hat sie genannt.',
      failed: 'Der Knoten hat sie nicht rechtzeitig genannt. Andere anderswo werden Sie kaum direkt erreichen.',
    },
    turnUdp: {
      name: 'Relais über UDP',
      what: 'Für zwei, die einander nicht finden.',
      ok: 'Nachrichten gingen über das Relais hin und zurück.',
      failed: 'Auf diesem Weg kam nichts durch das Relais.',
    },
    turnTcp: {
      name: 'Relais über TCP',
      what: 'Für Netze, die kein UDP durchlassen.',
      ok: 'Nachrichten gingen über das Relais hin und zurück.',
      failed: 'Auf diesem Weg kam nichts durch das Relais.',
    },
    turnTls: {
      name: 'Relais über TLS',
      what: 'Für Netze, die nur durchlassen, was wie Webseiten aussieht.',
      ok: 'Nachrichten gingen über das Relais hin und zurück.',
      failed: 'Auf diesem Weg kam nichts durch das Relais. Ein Grund kann ein Zertifikat sein, das der Browser nicht kennt.',
    },
    devices: {
      name: 'Kamera und Mikrofon',
      what: 'Ob der Browser sie öffnen darf.',
      ok: 'Der Browser darf sie öffnen.',
      failed: 'Der Browser kann sie nicht öffnen.',
    },
  }),
  because: {
    'stun.nat': 'Andere sehen Sie unter der Adresse hier unten.',
    'stun.noNat': 'Zwischen Ihnen und dem Knoten gibt es keine andere Adresse.',
    'leg.tcp': 'Ton und Bild erreichen den Knoten nur über TCP. Eine Firewall hier oder dort lässt seinen UDP-Port vielleicht nicht durch.',
    'leg.dtls': 'Der Knoten wurde erreicht, aber der Handschlag kam nicht zum Ende. Etwas unterwegs verändert, was gesendet wird.',
    'turnUdp.path': 'Das Relais gab eine Adresse, aber es kam nichts hindurch.',
    'turnTcp.path': 'Das Relais gab eine Adresse, aber es kam nichts hindurch.',
    'turnTls.path': 'Das Relais gab eine Adresse, aber es kam nichts hindurch.',
    'devices.granted': 'Der Browser darf sie öffnen.',
    'devices.prompt': 'Der Browser wird Sie vor einem Gespräch fragen.',
    'devices.denied': 'Dem Browser wurde es verboten. Ändern Sie das neben der Adresse, oder nehmen Sie ohne teil.',
    'devices.absent': 'Es gibt keine. Sie können die anderen sehen und hören.',
    'devices.insecure': 'Browser öffnen sie nur auf https-Seiten (oder auf localhost).',
  },
};

/** @type {typeof en} */
const fr = {
  title: 'Vérifier la connexion',
  link: 'Vérifier la connexion',
  again: 'Vérifier encore',
  copy: 'Copier le rapport',
  copied: 'Le rapport est dans le presse-papiers.',
  copyYourself: 'Copiez le rapport vous-même :',
  connected: (ms) => `établie après ${Math.round(ms)} ms`,
  roundTrip: (ms) => `aller-retour ${ms < 10 ? ms.toFixed(1).replace('.', ',') : Math.round(ms)} ms`,
  notOffered: 'Ce nœud ne le propose pas.',
  notTried: 'Pas essayé, car le WebSocket ne s’est pas ouvert.',
  outcomes: {
    running: 'à l’essai',
    ok: 'fonctionne',
    limited: 'à regarder',
    failed: 'ne fonctionne pas',
    notOffered: 'non proposé',
    notTried: 'pas essayé',
  },
  verdicts: {
    running: 'Tous les chemins vers le nœud sont essayés…',
    works: 'Les appels fonctionneront.',
    worksUnseen: 'Les appels fonctionneront, mais votre navigateur n’ouvre ici ni caméra ni microphone.',
    relayOnly: 'Les appels ne fonctionneront que par le relais.',
    relayOnlyNoUdp: 'UDP semble bloqué : les appels ne fonctionneront que par le relais, avec un peu de retard.',
    overTcp: 'UDP semble bloqué : les appels fonctionneront par TCP, avec un peu de retard.',
    noUdp: 'UDP semble bloqué : les appels ne fonctionneront pas d’ici. Essayez un autre réseau, ou demandez que UDP y passe.',
    noMedia: 'Les appels ne fonctionneront pas : le nœud répond en UDP, mais aucune connexion ne s’établit.',
    noWebsocket: 'Les appels ne fonctionneront pas : cette page ne peut pas parler au nœud.',
  },
  rows: rowsOf({
    websocket: {
      name: 'WebSocket',
      what: 'Par lui, le nœud et cette page se parlent.',
      ok: 'Le nœud et cette page se parlent.',
      failed: 'Il ne s’ouvre pas. Un proxy entre vous et le nœud ne laisse peut-être pas passer les WebSockets.',
    },
    leg: {
      name: 'Médias du nœud',
      what: 'Le chemin du son et de l’image dans les grandes salles.',
      ok: 'Le son et l’image atteignent le nœud et reviennent.',
      failed: 'Le nœud ne peut être atteint pour les médias. Un pare-feu, ici ou là-bas, bloque peut-être son port UDP.',
    },
    host: {
      name: 'Adresses de cet appareil',
      what: 'Sous lesquelles on vous trouve dans le même réseau.',
      ok: 'Le navigateur donne ses adresses, peut-être sous des noms aléatoires.',
      failed: 'Le navigateur n’en donne aucune, à cause d’un réglage ou d’une extension. Les appels directs dans un même réseau ne fonctionneront pas.',
    },
    stun: {
      name: 'Adresse vue de l’extérieur (STUN)',
      what: 'Sous laquelle on vous trouve d’ailleurs.',
      ok: 'Le nœud l’a donnée.',
      failed: 'Le nœud ne l’a pas donnée à temps. D’ailleurs, on ne vous atteindra guère directement.',
    },
    turnUdp: {
      name: 'Relais en UDP',
      what: 'Pour deux qui ne se trouvent pas.',
      ok: 'Des messages ont fait l’aller-retour par le relais.',
      failed: 'Rien n’a traversé le relais par ce chemin.',
    },
    turnTcp: {
      name: 'Relais en TCP',
      what: 'Pour les réseaux qui ne laissent pas passer UDP.',
      ok: 'Des messages ont fait l’aller-retour par le relais.',
      failed: 'Rien n’a traversé le relais par ce chemin.',
    },
    turnTls: {
      name: 'Relais en TLS',
      what: 'Pour les réseaux qui ne laissent passer que ce qui ressemble à des pages web.',
      ok: 'Des messages ont fait l’aller-retour par le relais.',
      failed: 'Rien n’a traversé le relais par ce chemin. Un certificat inconnu du navigateur peut en être la cause.',
    },
    devices: {
      name: 'Caméra et microphone',
      what: 'Si le navigateur peut les ouvrir.',
      ok: 'Le navigateur peut les ouvrir.',
      failed: 'Le navigateur ne peut pas les ouvrir.',
    },
  }),
  because: {
    'stun.nat': 'Les autres vous voient sous l’adresse ci-dessous.',
    'stun.noNat': 'Entre vous et le nœud, il n’y a pas d’autre adresse.',
    'leg.tcp': 'Le son et l’image n’atteignent le nœud que par TCP. Un pare-feu, ici ou là-bas, bloque peut-être son port UDP.',
    'leg.dtls': 'Le nœud a été atteint, mais l’établissement n’est pas allé au bout. Quelque chose en chemin modifie ce qui est envoyé.',
    'turnUdp.path': 'Le relais a donné une adresse, mais rien ne l’a traversé.',
    'turnTcp.path': 'Le relais a donné une adresse, mais rien ne l’a traversé.',
    'turnTls.path': 'Le relais a donné une adresse, mais rien ne l’a traversé.',
    'devices.granted': 'Le navigateur peut les ouvrir.',
    'devices.prompt': 'Le navigateur vous le demandera avant un appel.',
    'devices.denied': 'On l’a interdit au navigateur. Changez cela à côté de l’adresse, ou participez sans.',
    'devices.absent': 'Il n’y en a pas. Vous pouvez voir et entendre les autres.',
    'devices.insecure': 'Les navigateurs ne les ouvrent que sur des pages https (ou sur localhost).',
  },
};

export const checkWords = { en, de, fr };
