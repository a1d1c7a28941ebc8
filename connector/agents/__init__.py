"""Agents as files: a folder for each, with its settings, its prompt and its knowledge base.

fields      what an agent has, and where it stands
slugs       the names of folders
disk        reads and writes within the folder, and follows no link
settings    agent.yaml
folders     reads the folders of all agents
state       what was pulled, as digests, in `.chatforge-agents.json`
comparing   a field here, at ChatForge, and as it was pulled
account     the agents at ChatForge, through the adapter
pulling     ChatForge → folder
planning    what an apply would send
applying    folder → ChatForge
"""
