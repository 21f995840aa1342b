-- Conversations as trees that people shape: lines changed after they were written, talks that branch off.

-- When somebody changed the words of a line after they stood there; null: they are as they were said.
alter table messages add column edited_at timestamptz;

-- The openings of a conversation answer nothing. They are each other's wordings, and found by their conversation.
create index messages_openings_idx on messages (conversation_id, message_id) where parent_id is null;

-- Where a branch left another conversation, and at which of its lines.
alter table conversations
    add column branched_from_id uuid references conversations on delete set null,
    add column branched_at_id uuid references messages on delete set null;
create index conversations_branched_from_id_idx on conversations (branched_from_id);
create index conversations_branched_at_id_idx on conversations (branched_at_id);
