/* Finds the sections that answer a question: words in, sections out, no page.

   MiniSearch keeps the index and scores one word (BM25+, by field). Here stands
   what it cannot know: how code is spelled, what else things are called, how the
   words of a question add up, and what of a pasted exception matters.

   Each word of the question is looked up by itself, with its other names. What
   the words find adds up, times the share of the question that was found: so a
   section with all words comes before one with some, and some are still better
   than nothing. */
(function () {
  "use strict";

  const BOOST = { page: 10, title: 6, about: 3, lead: 3, names: 3.5, trail: 2.5, code: 2, output: 1.5, text: 1 };
  const SAME = 0.7; // what another name counts, to the word itself
  const PARTS = 0.5; // the parts of a name: `hidden_size` asked, `hidden` and `size` found
  const LESS = 0.05; // the same where the name itself stands somewhere
  const ALONE = 0.4; // one word of a phrase that has other names
  const LETTER = 0.5; // h, c, z: they stand in many places
  const PREFIX = 0.6; // the beginning of a longer word
  const FUZZY = 0.4; // a word that is spelled almost alike
  const MESSAGE = 4; // the page of messages, for a pasted exception
  const TOGETHER = 0.4; // words side by side, to the same words apart
  const FAILING = 1.5; // the page of messages, where the question speaks of an error
  const ASIDE = 0.6; // the same where it does not: a message holds many words
  const HITS = 8;
  const PER_PAGE = 4; // so that one page does not fill the list
  const LINE = 170; // characters of the line below a hit

  // ---------------------------------------------------------------- words

  // A name keeps its dots and underscores: nn.LSTM, W_ih, input.size.
  const WORD = /[\p{L}\p{N}_]+(?:\.[\p{L}\p{N}_]+)*/gu;
  const words = (text) => text.match(WORD) || [];

  function stem(word) {
    if (!/^[a-z]{4,}$/.test(word)) return word;
    const short = word
      .replace(/ies$/, "y")
      .replace(/([^sui])s$/, "$1")
      .replace(/(ing|ed)$/, "")
      .replace(/([^aeiouls])\1$/, "$1")
      .replace(/e$/, "");
    return short.length > 2 ? short : word;
  }

  /** A name's parts: pack_padded_sequence, nn.LSTM, PackedSequence. */
  function parts(name) {
    const pieces = [...name.split("."), ...name.split(/[._]+/)];
    const humps = pieces.flatMap((p) => p.match(/[A-Z]+(?![a-z])|[A-Z]?[a-z]+/g) || []);
    const found = [...pieces, ...humps].map((p) => p.toLowerCase());
    return [...new Set(found)].filter((p) => p.length > 1 && p !== name.toLowerCase());
  }

  /** All that a word of the site can be found by. */
  function terms(word) {
    const whole = word.toLowerCase();
    const all = [whole, ...parts(word)];
    return [...new Set([...all, ...all.map(stem)])];
  }

  // ------------------------------------------------------------ exceptions

  const ERROR = /(?:^|\n)[ \t]*(?:[\w.]+\.)?(\w*(?:Error|Warning|Exception))\b:?[ \t]*/g;

  /** The message of a pasted exception or traceback, or null. */
  function messageOf(query) {
    const starts = [...query.matchAll(ERROR)];
    const last = starts[starts.length - 1];
    const message = last && query.slice(last.index + last[0].length);
    if (message && /\w+\W+\w+/.test(message)) return message;
    const traces = /Traceback|File ".*", line \d+|(?:got|but) .*[[(]\d/;
    return traces.test(query) ? query : null;
  }

  /** Without what differs from call to call: numbers, shapes, files. */
  function withoutNumbers(message) {
    return message
      .replace(/File ".*", line \d+.*/g, " ")
      .replace(/torch\.Size/g, " ")
      .replace(/[[({][\s\d,.:-]*[\])}]/g, " ")
      .replace(/(^|[^\w.])-?\d+(?:\.\d+)?(?![\w])/g, "$1 ");
  }

  /** Of two shapes, expected and got, which numbers agree: that tells the cause. */
  function agreement(message) {
    const shapes = message.match(/[[(](\d+(?:, \d+)+)[\])]\D+[[(](\d+(?:, \d+)+)[\])]/);
    if (!shapes) return "";
    const [, wanted, got] = shapes.map((s) => s.split(","));
    return wanted.map((n, i) => (n.trim() === (got[i] || "").trim() ? "=" : "x")).join("");
  }

  // ---------------------------------------------------------------- search

  /** `boost` is there for the test that takes weights away. */
  function open(data, boost = {}) {
    const stop = new Set(data.words.stop);
    const sections = [];
    for (const page of data.pages) {
      const kind = page.sections.some((s) => s.api) ? "API" : page === data.pages[0] ? "Home" : "";
      const messages = page.url === data.messages;
      for (const s of page.sections) {
        const lead = !s.anchor;
        sections.push({
          ...s,
          id: sections.length,
          url: page.url + (s.anchor ? "#" + s.anchor : ""),
          home: page.url,
          page: lead ? s.title : "",
          title: lead ? "" : s.title,
          heading: s.title,
          about: s.about || "",
          // All messages stand below one title, which would make each a hit for it.
          trail: messages ? "" : s.trail.join(" "),
          top: (kind === "API" ? "API: " : "") + (page.short || page.sections[0].title),
          said: withoutNumbers(`${s.title} ${s.output}`).toLowerCase(),
          all: [s.title, s.about, s.lead, s.text].join(" ").toLowerCase(),
          messages,
          worth: data.words.worth[kind || s.title] || 1,
        });
      }
    }
    const index = new MiniSearch({
      fields: Object.keys(BOOST),
      tokenize: words,
      processTerm: terms,
      searchOptions: { tokenize: (text) => [text], processTerm: (term) => term, boost: { ...BOOST, ...boost } },
    });
    index.addAll(sections);

    /** Sections by one way to say a word: id -> {score, terms}. */
    function lookUp(said, weight, options) {
      const asked = said + JSON.stringify(options);
      if (!known.has(asked)) {
        const query = { combineWith: "AND", queries: said.split(" "), ...options };
        known.set(asked, index.search(query));
      }
      return known.get(asked).map(({ id, score, terms }) => ({ id, weight, score: weight * score, terms }));
    }
    const known = new Map(); // who types on asks for the same words again

    /** The best that any way to say it gives each section. */
    function best(ways) {
      const found = new Map();
      for (const hit of ways.flat()) {
        const known = found.get(hit.id);
        if (!known) found.set(hit.id, { ...hit, terms: new Set(hit.terms) });
        else {
          known.score = Math.max(known.score, hit.score);
          known.weight = Math.max(known.weight, hit.weight);
          hit.terms.forEach((t) => known.terms.add(t));
        }
      }
      return found;
    }

    const key = (said) => said.map((w) => stem(w.toLowerCase())).join(" ");
    const same = new Map(Object.entries(data.words.same).map(([said, list]) => [key(words(said)), list]));

    /** What else the site may call a word or a phrase. */
    function others(said) {
      return (same.get(key(said)) || []).map((other) => {
        const worthy = words(other.toLowerCase()).filter((w) => !stop.has(w));
        return lookUp(worthy.join(" "), SAME);
      });
    }

    function find1(word, typing) {
      const whole = word.toLowerCase();
      const ways = [lookUp(whole, whole.length > 1 ? 1 : LETTER)];
      if (stem(whole) !== whole) ways.push(lookUp(stem(whole), 0.95));
      if (whole.length > (typing ? 1 : 3)) ways.push(lookUp(whole, PREFIX, { prefix: true }));
      const pieces = parts(word);
      if (pieces.length) ways.push(lookUp(pieces.join(" "), ways[0].length ? LESS : PARTS));
      ways.push(...others([word]));
      const found = best(ways);
      if (found.size || whole.length < 4) return found;
      return best([lookUp(whole, FUZZY, { fuzzy: whole.length > 7 ? 2 : 1, prefix: false })]);
    }

    /** The question as groups, each found by any of its names. */
    function groups(query, typing) {
      const all = words(query);
      const taken = new Set();
      const found = [];
      for (const length of [3, 2]) {
        for (let i = 0; i + length <= all.length; i++) {
          const phrase = all.slice(i, i + length);
          if (!same.has(key(phrase)) || taken.has(i)) continue;
          for (let k = i; k < i + length; k++) taken.add(k);
          const alone = phrase.filter((w) => !stop.has(w)).map((w) => lookUp(stem(w.toLowerCase()), ALONE));
          const whole = lookUp(key(phrase), 1).filter((hit) => inOrder(phrase).test(sections[hit.id].all));
          found.push(best([whole, ...others(phrase), ...alone]));
        }
      }
      const rest = all.filter((_, i) => !taken.has(i));
      const worthy = rest.filter((w) => !stop.has(w.toLowerCase()) && !/^[\d.]+$/.test(w));
      const asked = worthy.length || found.length ? worthy : rest;
      for (const word of new Set(asked)) found.push(find1(word, typing && word === all[all.length - 1]));
      return found;
    }

    const inOrder = (said) => new RegExp(said.map((w) => stem(w.toLowerCase())).join("\\w*[\\W_]+"));

    /** More where words that follow each other in the question do so here. */
    function together(query, field, weight) {
      const low = words(query.toLowerCase()).filter((w) => !stop.has(w));
      const patterns = low.slice(1).map((w, i) => inOrder([low[i], w]));
      return (s) => 1 + (weight * patterns.filter((p) => p.test(s[field])).length) / (patterns.length || 1);
    }

    function score(groups, worth) {
      const total = new Map();
      let weights = 0;
      for (const group of groups) {
        if (!group.size) continue;
        const weight = Math.log(1 + sections.length / group.size);
        weights += weight;
        for (const [id, hit] of group) {
          const t = total.get(id) || { score: 0, share: 0, found: 0, terms: new Set() };
          t.score += hit.score;
          t.share += weight * hit.weight;
          t.found += 1;
          hit.terms.forEach((term) => t.terms.add(term));
          total.set(id, t);
        }
      }
      return [...total]
        .map(([id, t]) => {
          const share = t.share / weights;
          return { section: sections[id], terms: t.terms, found: t.found, score: t.score * share * share * worth(sections[id]) };
        })
        .sort((a, b) => b.score - a.score || a.section.id - b.section.id);
    }

    function find(query, most = HITS) {
      const message = messageOf(query);
      let ranked, asked;
      if (message) {
        const text = withoutNumbers(message);
        const said = [...new Set(words(text).map((w) => w.toLowerCase()))].filter((w) => !stop.has(w));
        asked = said.map((w) => best([lookUp(w, 1), lookUp(parts(w).join(" ") || w, PARTS)]));
        const near = together(text, "said", 3 * TOGETHER);
        const shapes = agreement(message);
        const alike = (s) => (shapes && agreement(s.heading) === shapes ? 1.2 : 1);
        ranked = score(asked, (s) => (s.messages ? MESSAGE : 1) * near(s) * alike(s) * s.worth);
      } else {
        const failing = /\b(error|exception|traceback|raises|warning|mismatch|wrong (shape|size|dim\w*))\b/i.test(query);
        const near = together(query, "all", TOGETHER);
        const worth = (s) => s.worth * near(s) * (s.messages ? (failing ? FAILING : ASIDE) : 1);
        asked = groups(query, !/\s$/.test(query));
        ranked = score(asked, worth);
      }
      const seen = {};
      const kept = ranked.filter((hit) => (seen[hit.section.home] = (seen[hit.section.home] || 0) + 1) <= PER_PAGE);
      return {
        message: Boolean(message),
        count: kept.length,
        all: kept.some((hit) => hit.found === asked.length),
        hits: kept.slice(0, most).map((hit) => ({
          url: hit.section.url,
          page: hit.section.top,
          section: hit.section.anchor ? pieces(hit.section.heading, hit.terms) : [],
          // Below a message stands its cause, not the message again.
          line: hit.section.messages && hit.section.anchor
            ? cut(pieces(hit.section.text.split("\n")[0], hit.terms))
            : line(hit.section, hit.terms),
          score: hit.score,
        })),
      };
    }

    return { find, help: data.help };
  }

  // ------------------------------------------------------- what a hit shows

  /** Text as pieces {text, code, mark}; code stands between backticks. */
  function pieces(text, found) {
    return text.split("`").flatMap((run, i) => {
      const out = [];
      let end = 0;
      for (const m of run.matchAll(WORD)) {
        if (!terms(m[0]).some((t) => found.has(t))) continue;
        out.push({ text: run.slice(end, m.index) }, { text: m[0], mark: true });
        end = m.index + m[0].length;
      }
      out.push({ text: run.slice(end) });
      return out.filter((p) => p.text).map((p) => ({ ...p, code: i % 2 === 1 }));
    });
  }

  /** The one line of a section that holds most of the words. */
  function line(section, found) {
    const sentences = section.text.split(/\n|(?<=[.:?!]) (?=[A-Z`])/);
    const lines = [
      ...sentences.map((text) => ({ text, code: false })),
      ...section.output.split("\n").map((text) => ({ text, code: true })),
      ...section.code.split("\n").map((text) => ({ text, code: true })),
      { text: section.about, code: false, about: true },
    ].filter((l) => l.text.length > 2);
    let top = null;
    let most = -1;
    for (const l of lines) {
      const hits = new Set(words(l.text).filter((w) => terms(w).some((t) => found.has(t))).map((w) => stem(w.toLowerCase())));
      const worth = hits.size + (l.text.length > 30 ? 0.5 : 0) + (l.about ? 0.6 : 0) - (l.code ? 0.4 : 0) - (/^(from|import) /.test(l.text) ? 1 : 0);
      if (worth > most) [top, most] = [l, worth];
    }
    if (!top) return [];
    const shown = pieces(top.code ? "`" + top.text.replaceAll("`", "") + "`" : top.text, found);
    return cut(shown);
  }

  /** A long line from a little before its first marked word. */
  function cut(shown) {
    const first = Math.max(0, shown.findIndex((p) => p.mark));
    const before = shown.slice(0, first).reduce((n, p) => n + p.text.length, 0);
    const whole = shown.reduce((n, p) => n + p.text.length, 0);
    let skip = whole > LINE && before > 60 ? before - 50 : 0;
    let room = LINE;
    const out = [];
    if (skip) out.push({ text: "… " });
    for (const p of shown) {
      let text = p.text;
      if (skip >= text.length) {
        skip -= text.length;
        continue;
      }
      if (skip) text = text.slice(skip).replace(/^\S*\s/, "");
      skip = 0;
      if (text.length > room) {
        out.push({ ...p, text: text.slice(0, room).replace(/\s\S*$/, "") + " …" });
        break;
      }
      room -= text.length;
      out.push({ ...p, text });
    }
    return out;
  }

  globalThis.SectionSearch = { open, terms, words };
})();
