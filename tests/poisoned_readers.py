"""Reading functions that die on the file named image_2.h5 or mask_2.h5, as a C library may.

Children import them by name.
"""

import os
import signal
import time

import numpy as np

from mmlandslide.datasets.storage.tile_formats import read_array


def crashing(path, key):
    if path.name == 'image_2.h5':
        os.kill(os.getpid(), signal.SIGSEGV)
    return read_array(path, key)


def crashing_on_a_mask(path, key):
    if path.name == 'mask_2.h5':
        os.abort()
    return read_array(path, key)


def hanging(path, key):
    if path.name == 'image_2.h5':
        time.sleep(600)
    return read_array(path, key)


def greedy(path, key):
    if path.name == 'image_2.h5':
        return np.ones(2**40, np.uint8)  # 1 TiB
    return read_array(path, key)


def double(number):
    return 2 * number


def die_of(number):
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def refuse(number):
    raise ValueError(f'no {number}')
