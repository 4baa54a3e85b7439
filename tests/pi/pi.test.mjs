// roomcam on a Raspberry Pi as it is meant to be used: the Debian package, under systemd, with kernel devices. The
// Pi is emulated by QEMU and boots once; each test goes on from where the one before left it.

import './boot.mjs';
import './install.mjs';
import './stream.mjs';
import './unplug.mjs';
import './panel.mjs';
import './service.mjs';
import './sandbox.mjs';
import './upgrade.mjs';
