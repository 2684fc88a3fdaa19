#!/usr/bin/env python3
"""page.py CHROMIUM FOLDER URL...: look at a page in headless Chromium; print one JSON object.

Speaks the DevTools protocol over a pipe. Screenshots (phone and desktop, light and dark) go to FOLDER.
"""
import base64
import fcntl
import json
import os
import subprocess
import sys
import tempfile
import time

CONTRAST = r'''
(() => {
  const rgb = s => s.match(/[\d.]+/g).map(Number);
  const light = c => {
    const [r, g, b] = c.map(v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = e => {
    for (; e; e = e.parentElement) {
      const c = rgb(getComputedStyle(e).backgroundColor);
      if (c.length < 4 || c[3] > 0) return c.slice(0, 3);
    }
    return [255, 255, 255];
  };
  let worst = 99, where = '';
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || !e.getClientRects().length) continue;
    const a = light(rgb(getComputedStyle(e).color).slice(0, 3)), b = light(behind(e));
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < worst) { worst = ratio; where = walk.currentNode.data.trim().slice(0, 40); }
  }
  return {worst, where};
})()
'''
NAMELESS = '''[...document.querySelectorAll('a,summary,[tabindex],svg,section')].filter(e =>
  !(e.textContent.trim() || e.getAttribute('aria-label') || e.getAttribute('aria-labelledby'))).length'''


class Browser:
    def __init__(self, program, profile):
        to_r, to_w = os.pipe()
        from_r, from_w = os.pipe()

        def pass_pipes():
            high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 10) for fd in (to_r, from_w)]
            for fd, to in zip(high, (3, 4)):
                os.dup2(fd, to)

        self.process = subprocess.Popen(
            [program, '--headless=new', '--remote-debugging-pipe', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage',
             '--no-first-run', '--hide-scrollbars', f'--user-data-dir={profile}', 'about:blank'],
            preexec_fn=pass_pipes, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_r)
        os.close(from_w)
        self.out, self.inp = os.fdopen(to_w, 'wb', 0), os.fdopen(from_r, 'rb')
        self.n, self.session, self.events, self.rest = 0, None, [], b''

    def read(self):
        while b'\0' not in self.rest:
            got = os.read(self.inp.fileno(), 1 << 16)
            if not got:
                raise SystemExit('the browser is gone')
            self.rest += got
        line, self.rest = self.rest.split(b'\0', 1)
        return json.loads(line)

    def ask(self, method, **params):
        self.n += 1
        message = {'id': self.n, 'method': method, 'params': params}
        if self.session:
            message['sessionId'] = self.session
        self.out.write(json.dumps(message).encode() + b'\0')
        while True:
            got = self.read()
            if got.get('id') == self.n:
                if 'error' in got:
                    raise SystemExit(f"{method}: {got['error']}")
                return got['result']
            self.events.append(got)

    def wait(self, method):
        while not any(e.get('method') == method for e in self.events):
            self.events.append(self.read())

    def close(self):
        """As a user would, so that its children end too; by force when it does not."""
        try:
            self.session = None
            self.ask('Browser.close')
            self.process.wait(5)
        except (OSError, SystemExit, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()

    def value(self, expression):
        return self.ask('Runtime.evaluate', expression=expression, returnByValue=True)['result'].get('value')

    def go(self, url):
        self.events.clear()
        self.ask('Page.navigate', url=url)
        self.wait('Page.loadEventFired')
        time.sleep(0.3)  # the first paint is told a little later

    def look(self, path, width, height, scheme):
        self.ask('Emulation.setDeviceMetricsOverride', width=width, height=height, deviceScaleFactor=1, mobile=width < 600)
        self.ask('Emulation.setEmulatedMedia', features=[{'name': 'prefers-color-scheme', 'value': scheme}])
        tall = self.value('document.documentElement.scrollHeight')
        shot = self.ask('Page.captureScreenshot', captureBeyondViewport=True,
                        clip={'x': 0, 'y': 0, 'width': width, 'height': tall, 'scale': 1})
        with open(path, 'wb') as f:
            f.write(base64.b64decode(shot['data']))


def complaints(events):
    found = []
    for e in events:
        p = e.get('params', {})
        if e.get('method') == 'Runtime.exceptionThrown':
            found.append(p['exceptionDetails'].get('text', '?'))
        elif e.get('method') == 'Log.entryAdded':
            found.append(p['entry']['text'])
        elif e.get('method') == 'Runtime.consoleAPICalled':
            found.append('console.' + p['type'])
    return found


def judge(b, folder, name, url):
    b.go(url)
    paints = []
    for _ in range(10):  # the least of a few: the machine has other work
        b.go(url)
        paints.append(b.value("performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 1e9"))
    urls = [e['params']['request']['url'] for e in b.events if e.get('method') == 'Network.requestWillBeSent']
    size = sum(e['params']['encodedDataLength'] for e in b.events if e.get('method') == 'Network.loadingFinished')
    result = {'paint_ms': round(min(paints), 1), 'bytes': size, 'requests': len(urls),
              'external': [u for u in urls if not u.startswith(url)], 'complaints': complaints(b.events)}
    for scheme in ('light', 'dark'):
        b.look(f'{folder}/{name}-phone-{scheme}.png', 390, 844, scheme)
        result[f'phone_overflow_{scheme}'] = b.value('document.documentElement.scrollWidth - innerWidth')
        result[f'contrast_{scheme}'] = b.value(CONTRAST)
        b.look(f'{folder}/{name}-desktop-{scheme}.png', 1280, 900, scheme)
    result['nameless'] = b.value(NAMELESS)
    result['markup_from_outside'] = b.value("document.querySelectorAll('h1 b').length")
    seen = []
    for _ in range(8):
        for kind in ('keyDown', 'keyUp'):
            b.ask('Input.dispatchKeyEvent', type=kind, key='Tab', code='Tab', windowsVirtualKeyCode=9)
        seen.append(b.value("(e => e.id || e.getAttribute('href') || e.tagName)(document.activeElement)"))
    result['tab_order'] = seen
    first = b.value("document.querySelector('#package .watts').textContent")
    result['refreshed'] = False
    for _ in range(20):
        time.sleep(1)
        if b.value("document.querySelector('#package .watts').textContent") != first:
            result['refreshed'] = True
            break
    result['complaints'] += complaints(b.events)
    b.ask('Emulation.setScriptExecutionDisabled', value=True)
    b.go(url)
    document = b.ask('DOM.getDocument')['root']['nodeId']
    node = b.ask('DOM.querySelector', nodeId=document, selector='#package')['nodeId']
    result['without_script'] = b.ask('DOM.getOuterHTML', nodeId=node)['outerHTML']
    b.ask('Emulation.setScriptExecutionDisabled', value=False)
    return result


def main():
    program, folder, *urls = sys.argv[1:]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:  # its children may still write
        b = Browser(program, profile)
        try:
            target = b.ask('Target.createTarget', url='about:blank')['targetId']
            b.session = b.ask('Target.attachToTarget', targetId=target, flatten=True)['sessionId']
            for domain in ('Page', 'Runtime', 'Log', 'Network', 'DOM'):
                b.ask(f'{domain}.enable')
            print(json.dumps([judge(b, folder, f'page{i}', url) for i, url in enumerate(urls)], indent=1))
        finally:
            b.close()


main()
