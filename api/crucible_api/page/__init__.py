"""The page: HTML rendered on the server, and small scripts for what moves.

Model output is hostile: templates escape everything, and no text becomes markup anywhere.
"""
