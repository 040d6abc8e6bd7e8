"""Content of files, each under its SHA-256. What is under a hash is whole, and on disk.

store    the one way in and out, for coroutines        disk    a directory        s3    a bucket
"""
