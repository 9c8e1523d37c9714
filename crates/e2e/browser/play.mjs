// Plays recordings in headless Chromium and prints what happened, one JSON object a line.
//
//   node play.mjs MODULES ORIGIN PATH...
//
// MODULES is a node_modules directory with playwright-core and hls.js; ORIGIN the recorder's HTTP
// side; each PATH a recording below it. The page and the media come from one little server here,
// so that no rule between origins is in the way.

import fs from "node:fs";
import http from "node:http";
import { createRequire } from "node:module";
import path from "node:path";

const [modules, origin, ...paths] = process.argv.slice(2);
const { chromium } = createRequire(path.join(modules, "x.js"))("playwright-core");
const hls = fs.readFileSync(path.join(modules, "hls.js/dist/hls.min.js"));

const page = `<!doctype html><title>player</title><video muted playsinline></video><script src="/hls.js"></script>`;
const requests = [];
const server = http.createServer((request, response) => {
  if (request.url === "/") return response.setHeader("content-type", "text/html").end(page);
  if (request.url === "/hls.js") return response.setHeader("content-type", "text/javascript").end(hls);
  requests.push(`${request.url} ${request.headers.range ?? ""}`);
  const { host, ...headers } = request.headers;
  http.get(origin + request.url, { headers }, (answer) => {
    response.writeHead(answer.statusCode, answer.headers);
    answer.pipe(response);
  }).on("error", () => response.destroy());
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));

const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--autoplay-policy=no-user-gesture-required"],
});
try {
  for (const file of paths) {
    const tab = await browser.newPage();
    requests.length = 0;
    await tab.goto(`http://127.0.0.1:${server.address().port}/`);
    const result = await tab.evaluate(play, file);
    console.log(JSON.stringify({ path: file, ...result, requests }));
    await tab.close();
  }
} finally {
  await browser.close();
  server.close();
}

// Runs in the page: plays to the end, then seeks into the middle.
async function play(file) {
  const video = document.querySelector("video");
  const errors = [];
  const happens = (name) => new Promise((resolve, reject) => {
    video.addEventListener(name, resolve, { once: true });
    setTimeout(() => reject(new Error(`no '${name}' within 60 s; ${errors}; at ${video.currentTime}`)), 60_000);
  });
  video.addEventListener("error", () => errors.push(`media: ${video.error.message}`));
  try {
    const ready = happens("loadedmetadata");
    if (file.endsWith(".m3u8")) {
      const player = new Hls();
      player.on(Hls.Events.ERROR, (_, data) => errors.push(`hls: ${data.details}`));
      player.loadSource(file);
      player.attachMedia(video);
    } else {
      video.src = file;
    }
    await ready;
    const stalls = [];
    video.addEventListener("waiting", () => stalls.push(video.currentTime));
    const ended = happens("ended");
    await video.play();
    await ended;
    const at = video.currentTime;
    const pictures = video.getVideoPlaybackQuality().totalVideoFrames;
    const sought = happens("seeked");
    video.currentTime = video.duration / 2;
    await sought;
    return {
      duration: video.duration, at, pictures, stalls, errors, sought: video.currentTime,
      width: video.videoWidth, height: video.videoHeight, sound: video.webkitAudioDecodedByteCount,
    };
  } catch (error) {
    return { failed: String(error), errors };
  }
}
