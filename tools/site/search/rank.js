// The ranking of the search: sections of pages, scored by BM25 over fields. No page and no browser is needed: see
// tests/test_search.py. It is loaded with the index and the Snowball stemmer, when a search begins.
function sectionSearch(pages, stemmer) {
  const FIELDS = {heading: [7, 0.3], names: [4, 0.2], title: [2.5, 0.3], prose: [1, 0.5], code: [0.25, 0.5]}; // weight, length
  const KINDS = {lesson: 1, front: 0.55, experiment: 0.8, reference: 0.45, exercises: 0.5, names: 0.3};
  const WEAK = 0.3, SURE = 1.6;  // hits below this part of the best, or of a sure one, come on request
  const SATURATION = 2.2, PAGE = 0.45, SYNONYM = 0.72, PHRASE = 0.3, EARLY = 0.05, ASIDE = 0.75, CONCEPT = 0.75;
  const STOP = new Set(`a about an and are as at be by can do does for from how i in into is it its me my not of on or than that
    the their there this to use using was we what when where which why will with without you your`.split(/\s+/));
  const NOISE = new Set("example examples explained implement implementation pytorch python scratch tutorial".split(" "));
  // Phrases that mean the same to a reader; each is looked for when one of its group is asked for
  const SYNONYMS = [
    ["multi gpu", "several gpus", "ddp", "distributed training", "distributed data parallel", "data parallelism", "accelerate"],
    ["class imbalance", "imbalanced classes", "unbalanced", "rare classes", "pos_weight", "skewed labels"],
    ["behavior cloning", "imitation learning", "clone", "learning from demonstrations"],
    ["positional encoding", "position encoding", "positional embedding", "position embedding", "positions of patches", "pos_embed", "positions for a larger picture"],
    ["overfitting", "generalization gap", "memorize", "by heart"],
    ["underfitting", "too small a model"],
    ["mixed precision", "half precision", "amp", "autocast", "float16", "bfloat16", "fp16"],
    ["learning rate finder", "lr finder", "lr_find", "lr range test"],
    ["learning rate schedule", "learning rate decay", "cosine annealing", "one cycle", "warmup", "lr scheduler"],
    ["log sum exp", "logsumexp"],
    ["batch norm", "batch normalization", "batchnorm"],
    ["layer norm", "layer normalization", "layernorm"],
    ["weight initialization", "kaiming", "he initialization", "xavier", "glorot"],
    ["vanishing gradients", "exploding gradients", "dead units"],
    ["numerical stability", "overflow", "underflow", "nan"],
    ["nan loss", "loss is nan", "nan"],
    ["resume training", "continue training", "restore", "checkpoint"],
    ["save model", "load model", "checkpoint", "safetensors"],
    ["reproducibility", "seed", "deterministic", "repeatable"],
    ["data augmentation", "augment"],
    ["in context learning", "icl", "few shot", "meta learning"],
    ["cross entropy", "nll", "negative log likelihood"],
    ["backpropagation", "backprop", "autograd", "automatic differentiation", "backward pass", "chain rule"],
    ["regularization", "weight decay", "l2 penalty"],
    ["sgd", "stochastic gradient descent", "gradient descent"],
    ["progress bar", "tqdm", "progress"],
    ["calibration", "reliability diagram", "temperature scaling", "ece"],
    ["gradient clipping", "clip gradients", "grad norm"],
    ["fine tuning", "transfer learning", "pretrained", "frozen head", "freeze layers"],
    ["ema", "moving average of weights", "averaged weights"],
    ["speed", "throughput", "faster", "profiling"],
    ["multi label", "multilabel", "tagging"],
    ["causal confusion", "copycat", "shortcut learning", "spurious correlation", "confounder"],
    ["compounding errors", "covariate shift", "distribution shift"],
    ["command line", "cli", "terminal"],
    ["vit", "vision transformer"],
    ["saliency", "attention map"],
    ["eye tracking", "gaze", "eye movements", "fixations"],
    ["data loader", "dataloader", "minibatch", "mini batch"],
    ["hyperparameter search", "compare runs", "sweep"],
    ["tensorboard", "log metrics"],
    ["residual connection", "skip connection"],
    ["activation statistics", "forward hooks", "hooks"],
    ["memory", "out of memory", "peak memory"],
    ["label noise", "label smoothing"],
    ["bayes optimal", "bayes error", "best possible", "oracle"],
    ["sigmoid", "logistic"],
    ["significance", "confidence interval", "permutation test", "statistical test"],
  ];

  // British spelling as American, then the Snowball stem
  const stems = new Map();
  function stem(word) {
    let out = stems.get(word);
    if (out === undefined) {
      out = word.replace(/is(e[drs]?|ing|ation|ations|able|ers)$/, "iz$1").replace(/(?<=...)our(s|ed|ing|al|ally|ist|ite|able)?$/, "or$1")
        .replace(/(?<=..)ll(ed|ing|er)$/, "l$1").replace(/(?<=...)tre(s?)$/, "ter$1").replace(/yse(d?|s)$/, "yze$1");
      out = stemmer.stemWord(out);
      stems.set(word, out);
    }
    return out;
  }
  const WORD = /[\p{L}\p{N}]+(?:[-_.'’][\p{L}\p{N}]+)*/gu;
  const bits = word => word.split(/[-_.'’]/).flatMap(o => o.split(/(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])/))
    .map(o => o.toLowerCase());
  // Stems of a text in order; a compound such as log-sum-exp or pos_weight gives its parts, then itself in one word
  function tokens(text) {
    const out = [];
    for (const [word] of text.matchAll(WORD)) {
      const parts = bits(word);
      for (const o of parts) if (!STOP.has(o)) out.push(stem(o));
      if (parts.length > 1) out.push(stem(parts.join("")));
    }
    return out;
  }

  // ----------------------------------------------------------------------------------------------------------- index
  const sections = [], postings = new Map(), named = new Map(), spelled = new Map();
  pages.forEach(([path, title, kind, parts], place) =>
    parts.forEach(([id, heading, names, prose, code, aside], i) => {
      const s = {path, title, kind, id, heading, names, prose, code, worth: (KINDS[kind] || 0.5)*(aside ? ASIDE : 1),
        early: EARLY*(1 - place/pages.length)};
      s.fields = {heading: tokens(i ? heading : title), names: tokens(names.join(" ")), title: tokens(title), prose: tokens(prose),
        code: tokens(code)};
      s.phrases = {heading: ` ${s.fields.heading.join(" ")} `, prose: ` ${s.fields.prose.join(" ")} `};
      for (const o of names) {
        const low = o.toLowerCase(), last = low.split(".").pop(), apart = bits(o.split(".").pop()).map(stem);
        if (apart.length > 1) spelled.set(apart.join(" "), [...spelled.get(apart.join(" ")) || [], sections.length]);
        for (const key of new Set([low, ...last.includes("_") ? [last] : []])) named.set(key, [...named.get(key) || [], [sections.length, o]]);
      }
      sections.push(s);
    }));
  for (const [name, [weight, b]] of Object.entries(FIELDS)) {
    const mean = sections.reduce((n, s) => n + s.fields[name].length, 0)/sections.length || 1;
    sections.forEach((s, i) => {
      const unit = weight/(1 - b + b*s.fields[name].length/mean);
      for (const t of s.fields[name]) {
        if (!postings.has(t)) postings.set(t, new Map());
        postings.get(t).set(i, (postings.get(t).get(i) || 0) + unit);
      }
    });
  }
  const vocabulary = [...postings.keys()].sort(), count = new Map();
  for (const s of sections) { count.set(s.path, (count.get(s.path) || 0) + 1); delete s.fields; }
  const idf = t => Math.log(1 + (sections.length - postings.get(t).size + 0.5)/(postings.get(t).size + 0.5));

  // ----------------------------------------------------------------------------------------------------------- query
  function near(word) { // words of the index one slip away
    const close = (a, b) => {
      if (Math.abs(a.length - b.length) > 1) return false;
      let i = 0, j = 0;
      while (i < a.length && a[i] == b[i]) i++;
      while (j < Math.min(a.length, b.length) - i && a[a.length - 1 - j] == b[b.length - 1 - j]) j++;
      const left = [a.length - i - j, b.length - i - j];
      return left[0] <= 1 && left[1] <= 1 || left[0] == 2 && left[1] == 2 && a[i] == b[i + 1] && a[i + 1] == b[i];
    };
    return word.length < 4 ? [] : vocabulary.filter(o => o[0] == word[0] && close(o, word)).slice(0, 8);
  }
  function starting(prefix) {
    let low = 0, high = vocabulary.length;
    while (low < high) { const mid = (low + high) >> 1; vocabulary[mid] < prefix ? low = mid + 1 : high = mid; }
    const out = [];
    while (low < vocabulary.length && vocabulary[low].startsWith(prefix)) out.push(vocabulary[low++]);
    return out.sort((a, b) => postings.get(b).size - postings.get(a).size).slice(0, 20);
  }
  // The words of a query, each as a map from stems of the index to how much they count
  function terms(text, typing, exact) {
    let words = [...text.matchAll(WORD)].flatMap(m => bits(m[0]));
    for (const set of [STOP, NOISE]) {
      const kept = words.filter(o => !set.has(o));
      if (kept.length) words = kept;
    }
    const out = words.map((word, i) => {
      const found = new Map(), last = typing && i == words.length - 1;
      if (postings.has(stem(word))) found.set(stem(word), 1);
      if (last && word.length > 1) for (const o of starting(word)) if (!found.has(o)) found.set(o, found.size ? 0.5 : 0.8);
      if (!found.size && !exact) for (const o of near(stem(word))) found.set(o, 0.7);
      return found;
    });
    for (let i = 0; i < words.length; i++) // data loader is dataloader too
      for (let n = 2; n <= 3 && i + n <= words.length; n++) {
        const whole = stem(words.slice(i, i + n).join(""));
        if (postings.has(whole)) for (let j = i; j < i + n; j++) out[j].set(whole, 1);
      }
    return {words, found: out, phrase: ` ${words.map(stem).join(" ")} `};
  }
  const flat = text => ` ${terms(text).words.map(stem).join(" ")} `;
  const groups = SYNONYMS.map(group => group.map(o => [o, flat(o)]));
  function variants(text) {
    const out = [[text, 1]], asked = flat(text);
    for (const group of groups) {
      const hit = group.filter(([, o]) => asked.includes(o)).sort((a, b) => b[1].length - a[1].length)[0];
      if (hit) for (const [o, phrase] of group)
        if (o != hit[0] && !asked.includes(phrase)) out.push([asked.replace(hit[1], ` ${o} `).trim(), SYNONYM, phrase]);
    }
    for (const [word] of text.matchAll(WORD)) // heatmap is heat map too
      if (!postings.has(stem(word.toLowerCase()))) for (let i = 3; i <= word.length - 3; i++) {
        const halves = [word.slice(0, i), word.slice(i)];
        if (halves.every(o => postings.has(stem(o.toLowerCase())))) out.push([text.replace(word, halves.join(" ")), 0.95]);
      }
    return out.slice(0, 16);
  }
  function scored(text, typing, must) { // `must` is the phrase of a synonym: its words apart mean something else
    const exact = must !== undefined;
    const {words, found, phrase} = terms(text, typing, exact), scores = new Map(), onPage = new Map();
    const pairs = words.slice(1).map((o, i) => ` ${stem(words[i])} ${stem(o)} `);
    const weights = found.map(o => o.size ? Math.max(...[...o].map(([t, w]) => w*idf(t))) : 6), best = weights.reduce((a, b) => a + b, 0);
    found.forEach((alternatives, i) => {
      const here = new Map();
      for (const [t, w] of alternatives) for (const [s, tf] of postings.get(t)) {
        const value = Math.min(w*idf(t), weights[i])*tf/(tf + SATURATION);
        if (value > (here.get(s)?.[0] || 0)) here.set(s, [value, t]);
      }
      const pages = new Map();
      for (const [s, [value, t]] of here) {
        const entry = scores.get(s) || {sum: 0, covered: 0, marks: new Set()};
        entry.sum += value; entry.covered += weights[i]; entry.marks.add(t);
        scores.set(s, entry);
        const path = sections[s].path;
        pages.set(path, (pages.get(path) || 0) + value);
      }
      for (const [path, sum] of pages) {
        const mass = sum/weights[i]/Math.sqrt(count.get(path));
        onPage.set(path, (onPage.get(path) || 0) + weights[i]*mass/(mass + 0.5));
      }
    });
    for (const [i, entry] of scores) {
      const s = sections[i];
      if (exact && / /.test(must.trim()) && !Object.values(s.phrases).some(o => o.includes(must))) { scores.delete(i); continue; }
      let score = entry.sum/best*(0.25 + 0.75*entry.covered/best) + PAGE*(onPage.get(s.path) || 0)/best;
      const together = text => pairs.filter(o => text.includes(o)).length/(pairs.length || 1);
      score += PHRASE*(2*together(s.phrases.heading) + together(s.phrases.prose));
      if (s.phrases.heading == phrase) score += 0.5;
      entry.score = (score + s.early)*s.worth;
    }
    return scores;
  }

  // Hits for what is typed, best first: {path, title, id, heading, kind, score, marks}; at most three of a page. `more` of the
  // result counts those that are left out, for being far below the best or too many; `all` asks for them too
  function search(text, {typing = true, all = false} = {}) {
    const query = text.trim().replace(/\(\)$/, "");
    if (!query) return [];
    const total = new Map();
    for (const [variant, weight, must] of variants(query))
      for (const [i, {score, marks}] of scored(variant, typing && weight == 1, must)) {
        const entry = total.get(i) || {score: 0, marks: new Set()};
        entry.score = Math.max(entry.score, weight*score);
        for (const o of marks) entry.marks.add(o);
        total.set(i, entry);
      }
    const code = /[_.]|[a-z][A-Z]|^[A-Z]{2,}[a-z]|\(\)$/.test(text.trim());
    for (const [i, name] of named.get(query.toLowerCase()) || []) {
      const entry = total.get(i) || {score: 0, marks: new Set()}, reference = sections[i].kind == "reference";
      const sure = name == query ? 1 : name.endsWith(`.${query}`) ? 0.7 : 0.15;  // softmax, Learner.fit as fit, ViT as vit
      entry.score += sure*(2.5 + (reference && code ? 0.4 : 0));
      total.set(i, entry);
    }
    for (const i of spelled.get(flat(query).trim()) || []) if (total.has(i)) total.get(i).score += 0.4;  // attention map
    if (!code && /\s/.test(query)) for (const [i, o] of total) if (sections[i].kind == "reference") o.score *= CONCEPT;
    const hits = [...total].map(([i, o]) => ({...sections[i], ...o})).sort((a, b) => b.score - a.score || (a.path < b.path ? -1 : 1));
    const seen = new Map(), out = [], least = WEAK*Math.min(SURE, hits[0]?.score);
    out.more = 0;
    for (const o of hits) {
      const n = (seen.get(o.path) || 0) + 1;
      seen.set(o.path, n);
      if (n > 3 || o.score < 0.12*hits[0].score) continue;
      if (all || out.length < 12 && o.score >= least) out.push(o); else out.more++;
    }
    return out;
  }

  // Pieces [text, is it a hit?] of the part of a section's prose that holds most of the words looked for
  function excerpt(hit, room = 170) {
    const text = hit.prose || hit.code, places = [];
    for (const m of text.matchAll(WORD)) {
      const t = [...bits(m[0]).map(stem), stem(bits(m[0]).join(""))].find(o => hit.marks.has(o));
      if (t) places.push([m.index, m.index + m[0].length, t]);
    }
    let from = 0, most = 0;
    for (const [at] of places) {
      const kinds = new Set(places.filter(o => o[0] >= at && o[1] <= at + room).map(o => o[2])).size;
      if (kinds > most) [most, from] = [kinds, at];
    }
    from = from < 50 ? 0 : text.indexOf(" ", from - 40) + 1;
    let to = Math.min(text.length, from + room);
    if (to < text.length) to = Math.max(text.lastIndexOf(" ", to), from + room - 30);
    const out = [[from ? "… " : "", false]];
    let at = from;
    for (const [a, b] of places) if (a >= at && b <= to) { out.push([text.slice(at, a), false], [text.slice(a, b), true]); at = b; }
    out.push([text.slice(at, to) + (to < text.length ? " …" : ""), false]);
    return out.filter(o => o[0]);
  }
  return {search, excerpt};
}
