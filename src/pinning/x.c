int x;int x;
