"""The one door to torch's private attributes. Imports torch only.

Each module says what it relies on, why no public way serves, and what breaks without it. Nothing outside this
package names an attribute of torch that begins with an underscore; a test holds that.
"""
